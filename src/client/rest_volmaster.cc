// SPDX-License-Identifier: Apache-2.0
// Opening, and what is about the server as a whole.
#include "client/rest_volmaster.h"

#include "wire/records.h"

namespace volplugin::client {
namespace {

Result<std::vector<model::Operation>> parse_operations(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  std::vector<model::Operation> operations;
  for (const auto& item : TRY(TRY(object.get("items")).as_array()))
    operations.push_back(TRY(wire::parse_operation(item)));
  return operations;
}

Result<service::Health> parse_health(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  service::Health health;
  // Without it we would take silence for trouble, or trouble for health.
  health.ok = TRY(TRY(object.get("ok")).as_bool());
  health.store = TRY(object.string("store"));
  health.version = TRY(object.string("version"));
  return health;
}

}  // namespace

Result<std::unique_ptr<RestVolmaster>> RestVolmaster::open(const std::vector<std::string>& addresses,
                                                           std::string actor, Patience patience) {
  auto exchange = TRY(Exchange::open(addresses, std::move(actor), patience));
  return std::unique_ptr<RestVolmaster>(new RestVolmaster(std::move(exchange)));
}

Result<std::vector<model::Operation>> RestVolmaster::list_operations(const Op& op) {
  return exchange_.read(op, {.target = "/v1/operations"}, parse_operations);
}

Result<model::Operation> RestVolmaster::get_operation(const Op& op, const std::string& id) {
  return exchange_.read(op, {.target = "/v1/operations/" + http::encode(id)}, wire::parse_operation);
}

Result<service::Health> RestVolmaster::health(const Op& op) {
  return exchange_.read(op, {.target = "/v1/health", .also_an_answer = 503}, parse_health);
}

}  // namespace volplugin::client
