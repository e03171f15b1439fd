// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {
namespace {

using WantedRevision = std::optional<std::uint64_t>;

// A conflict is a failed precondition only for who stated one.
Result<http::Response> refused(const Error& error, const WantedRevision& wanted) {
  if (wanted && error.code == Code::conflict) return problem(412, error);
  return error;
}

// Whether a PUT makes the tenant or replaces it, for the status. Without If-None-Match this is a look
// before the change, so of two first PUTs at once both may call themselves the first.
Result<bool> will_be_new(const Call& call, const model::TenantName& name, const WantedRevision& wanted) {
  if (wanted) return *wanted == 0;
  const auto known = call.master.get_tenant(call.op, name);
  if (known) return false;
  if (known.error().code == Code::not_found) return true;
  return known.error();
}

}  // namespace

Result<http::Response> list_tenants(const Call& call) {
  return page(TRY(call.master.list_tenants(call.op, TRY(list_query(call.query)))));
}

Result<http::Response> get_tenant(const Call& call) {
  return record_unless_known(call.request, TRY(call.master.get_tenant(call.op, TRY(tenant_in_path(call)))));
}

Result<http::Response> put_tenant(const Call& call) {
  const auto name = TRY(tenant_in_path(call));
  const auto wanted = TRY(wanted_revision(call.request));
  const auto tenant = TRY(parse_tenant_body(call.request.body, name));
  const bool is_new = TRY(will_be_new(call, name, wanted));
  const auto stored = call.master.put_tenant(call.op, tenant, wanted);
  if (!stored) return refused(stored.error(), wanted);
  return record(is_new ? 201 : 200, *stored);
}

Result<http::Response> delete_tenant(const Call& call) {
  const auto name = TRY(tenant_in_path(call));
  const auto wanted = TRY(wanted_revision(call.request));
  const auto deleted = call.master.delete_tenant(call.op, name, wanted);
  if (!deleted) return refused(deleted.error(), wanted);
  return no_content();
}

}  // namespace volplugin::rest
