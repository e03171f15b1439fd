// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

namespace volplugin::client {
namespace {

std::string target_of(const model::TenantName& name) {
  return "/v1/tenants/" + http::encode(name.str());
}

// The name and the revision stand beside the policy.
Result<model::Versioned<model::Tenant>> parse_tenant(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  const auto name = TRY(model::TenantTag::parse(TRY(object.string("name"))));
  const std::uint64_t revision = TRY(object.uint("revision"));
  return model::Versioned<model::Tenant>{TRY(wire::parse_tenant(value, name)), revision};
}

void add_condition(Question& question, std::optional<std::uint64_t> if_revision) {
  if (!if_revision) return;
  if (*if_revision == 0)
    question.headers.emplace_back("If-None-Match", "*");
  else
    question.headers.emplace_back("If-Match", fmt::format("\"{}\"", *if_revision));
}

}  // namespace

Result<model::Record<model::Tenant>> RestVolmaster::put_tenant(const Op& op, const model::Tenant& tenant,
                                                               std::optional<std::uint64_t> if_revision) {
  Question question{"PUT", target_of(tenant.name), wire::to_text(tenant), {}};
  add_condition(question, if_revision);
  // The policy becomes what this says. With a revision a repeat would fail because of the first one.
  question.repeatable = !if_revision;
  return exchange_.read(op, question, record_by<model::Tenant>(parse_tenant));
}

Result<> RestVolmaster::delete_tenant(const Op& op, const model::TenantName& name,
                                      std::optional<std::uint64_t> if_revision) {
  Question question{"DELETE", target_of(name), "", {}};
  add_condition(question, if_revision);
  question.repeatable = false;  // a policy that was uploaded since under the same name would go too
  return exchange_.tell(op, question);
}

Result<model::Record<model::Tenant>> RestVolmaster::get_tenant(const Op& op, const model::TenantName& name) {
  return exchange_.read(op, {.target = target_of(name)}, record_by<model::Tenant>(parse_tenant));
}

Result<service::Page<model::Tenant>> RestVolmaster::list_tenants(const Op& op,
                                                                 const service::ListQuery& query) {
  service::ListQuery all = query;
  all.tenant.clear();  // means nothing here
  return exchange_.read(op, {.target = list_target("/v1/tenants", all)},
                        page_by<model::Tenant>(parse_tenant));
}

}  // namespace volplugin::client
