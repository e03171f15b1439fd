// SPDX-License-Identifier: Apache-2.0
#include "control/control_plane.h"

namespace volplugin::control {
namespace {

Error no_tenant(const model::TenantName& name) {
  return make_error(Code::not_found, fmt::format("tenant '{}' does not exist; upload its policy with: volcli "
                                                 "tenant upload {} < policy.json",
                                                 name.str(), name.str()));
}

Result<> check_revision(const model::TenantName& name, const model::Record<model::Tenant>& stored,
                        std::optional<std::uint64_t> wanted) {
  const std::uint64_t is = stored ? stored->revision : 0;
  if (!wanted || *wanted == is) return {};
  return make_error(Code::conflict, fmt::format("tenant '{}' is at revision {}, not {}: read it again",
                                                name.str(), is, *wanted));
}

}  // namespace

Result<> ControlPlane::check_backend(const model::Tenant& tenant) const {
  const std::string backend = tenant.defaults.backend.value_or(settings_.defaults.backend);
  const auto found = parts_.backends.find(backend);
  if (found == parts_.backends.end())
    return make_error(Code::invalid_argument,
                      fmt::format("tenant '{}': default-options.backend: '{}' is not a "
                                  "backend of this server",
                                  tenant.name.str(), model::printable(backend)));
  if (tenant.defaults.pool)
    TRY_CTX(found->second->validate_pool(*tenant.defaults.pool), "tenant '{}': default-options.pool",
            tenant.name.str());
  return {};
}

Result<model::Record<model::Tenant>> ControlPlane::put_tenant(const Op& op, const model::Tenant& tenant,
                                                              std::optional<std::uint64_t> if_revision) {
  auto& table = parts_.catalog.tenants;
  auto valid = TRY(model::validate_tenant(tenant));
  if (!settings_.break_glass) TRY(check_backend(valid));
  TRY(parts_.catalog.refresh(op, table, valid.name.str()));
  const auto stored = table.find(valid.name.str());
  TRY(check_revision(valid.name, stored, if_revision));
  catalog::Edit edit;
  if (stored)
    edit.require(stored);
  else
    edit.require_absent<model::Tenant>(valid.name.str());
  edit.put(table, valid);
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return table.find(valid.name.str());
}

Result<> ControlPlane::delete_tenant(const Op& op, const model::TenantName& name,
                                     std::optional<std::uint64_t> if_revision) {
  auto& table = parts_.catalog.tenants;
  TRY(parts_.catalog.refresh(op, table, name.str()));
  const auto stored = table.find(name.str());
  if (!stored) return no_tenant(name);
  TRY(check_revision(name, stored, if_revision));
  catalog::Edit edit;
  edit.require(stored).erase(table, name.str());
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return {};
}

Result<model::Record<model::Tenant>> ControlPlane::get_tenant(const Op& op, const model::TenantName& name) {
  auto stored = TRY(look_up(op, parts_.catalog.tenants, name.str()));
  if (!stored) return no_tenant(name);
  return stored;
}

Result<service::Page<model::Tenant>> ControlPlane::list_tenants(const Op&, const service::ListQuery& query) {
  return parts_.catalog.tenants.list("", query.after, query.limit);
}

}  // namespace volplugin::control
