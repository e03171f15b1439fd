// SPDX-License-Identifier: Apache-2.0
#include "wire/options.h"
#include "wire/records.h"

namespace volplugin::wire {

void write(json::Writer& writer, const model::Tenant& tenant, std::uint64_t revision) {
  writer.begin_object();
  if (revision != 0) writer.field("name", tenant.name.str()).field("revision", revision);
  writer.key("default-options");
  write_options(writer, tenant.defaults);
  writer.key("filesystems").begin_object();
  for (const auto& [name, command] : tenant.filesystems) writer.field(name, command);
  writer.end_object().end_object();
}

Result<model::Tenant> parse_tenant(const json::Value& value, const model::TenantName& name) {
  auto object = TRY(json::Object::open(value));
  model::Tenant tenant{name, {}, {}};
  if (const auto defaults = object.find("default-options")) tenant.defaults = TRY(parse_options(*defaults));
  if (const auto filesystems = object.find("filesystems"))
    tenant.filesystems = TRY(filesystems->as_string_map());
  // What `tenant get -o json` adds is accepted back, so that its output can be uploaded again.
  const std::string said = TRY(object.string_or("name", name.str()));
  if (said != name.str())
    return make_error(Code::invalid_argument, fmt::format("name: the document is of tenant '{}', not '{}'",
                                                          model::printable(said), name.str()));
  TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return tenant;
}

}  // namespace volplugin::wire
