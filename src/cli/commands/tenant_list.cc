// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "model/size.h"

namespace volplugin::cli {
namespace {

Row cells(const model::Tenant& tenant) {
  const model::OptionSet& defaults = tenant.defaults;
  return {tenant.name.str(),
          defaults.backend.value_or(""),
          defaults.pool.value_or(""),
          defaults.size ? model::format_size(*defaults.size) : "",
          defaults.filesystem.value_or(""),
          defaults.snapshots.value_or(false) ? "yes" : "no"};
}

}  // namespace

Result<> tenant_list(Context& context) {
  const View<model::Tenant> view{{"NAME", "BACKEND", "POOL", "SIZE", "FILESYSTEM", "SNAPSHOTS"},
                                 cells,
                                 [](const model::Tenant& tenant) { return tenant.name.str(); }};
  return print_list(context, TRY(list_all_pages(context, &service::Volmaster::list_tenants)), view);
}

}  // namespace volplugin::cli
