// SPDX-License-Identifier: Apache-2.0
#include "catalog/codec.h"

#include "wire/records.h"

namespace volplugin::catalog {
namespace {

template <class T, class Parse>
Result<T> decode_as(const std::string& name, const std::string& text, Parse parse) {
  auto parsed = parse(TRY(json::Value::parse(text, "record")));
  if (!parsed) return std::move(parsed).error();
  T value = std::move(parsed->value);
  if (Codec<T>::name_of(value) != name)
    return make_error(Code::corrupt, fmt::format("the record says it is '{}'", Codec<T>::name_of(value)));
  return value;
}

}  // namespace

std::string Codec<model::Tenant>::encode(const model::Tenant& tenant) {
  return wire::to_text(tenant);
}
Result<model::Tenant> Codec<model::Tenant>::decode(const std::string& name, const std::string& text) {
  const auto parsed = TRY(model::TenantTag::parse(name));
  return wire::parse_tenant(TRY(json::Value::parse(text, "record")), parsed);
}

std::string Codec<model::Volume>::encode(const model::Volume& volume) {
  return wire::to_text(volume);
}
std::string text_to_keep(const model::Volume& volume, std::uint64_t revision) {
  std::string text = wire::to_text(volume, revision);
  text.shrink_to_fit();
  return text;
}
Result<model::Volume> Codec<model::Volume>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Volume>(name, text, wire::parse_volume);
}

std::string Codec<model::Mount>::encode(const model::Mount& mount) {
  return wire::to_text(mount);
}
Result<model::Mount> Codec<model::Mount>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Mount>(name, text, wire::parse_mount);
}

std::string Codec<model::Snapshot>::encode(const model::Snapshot& snapshot) {
  return wire::to_text(snapshot);
}
Result<model::Snapshot> Codec<model::Snapshot>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Snapshot>(name, text, wire::parse_snapshot);
}

std::string Codec<model::Session>::encode(const model::Session& session) {
  return wire::to_text(session);
}
Result<model::Session> Codec<model::Session>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Session>(name, text, wire::parse_session);
}

std::string Codec<model::Worker>::encode(const model::Worker& worker) {
  return wire::to_text(worker);
}
Result<model::Worker> Codec<model::Worker>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Worker>(name, text, wire::parse_worker);
}

std::string Codec<model::Node>::encode(const model::Node& node) {
  return wire::to_text(node);
}
Result<model::Node> Codec<model::Node>::decode(const std::string& name, const std::string& text) {
  return decode_as<model::Node>(name, text, wire::parse_node);
}

}  // namespace volplugin::catalog
