// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

#include <algorithm>

namespace volplugin::client {
namespace {

constexpr Millis kLongestWait{50'000};  // what the API allows
constexpr Millis kAnswerTime{2'000};    // volmaster looks at waiting nodes about once a second

std::string target_of(const model::NodeName& name) {
  return "/v1/nodes/" + http::encode(name.str());
}

// "Nothing to do" must reach us before the Op ends: a wait that outlasts it would end as an error.
std::string wait_body(const Op& op, Millis wait) {
  const Millis longest = std::max(op.remaining() - kAnswerTime, Millis(0));
  json::Writer writer;
  writer.begin_object().field("wait-ms",
                              std::clamp(wait, Millis(0), std::min(longest, kLongestWait)).count());
  writer.end_object();
  return writer.take();
}

}  // namespace

Result<model::Record<model::Session>> RestVolmaster::open_session(const Op& op,
                                                                  const service::OpenSession& request) {
  json::Writer writer;
  writer.begin_object().key("node");
  wire::write(writer, request.node);
  writer.field("host", request.host).field("ttl-ms", request.ttl.count()).end_object();
  Question question{"PUT", target_of(request.node.name) + "/session", writer.take(), {}};
  question.repeatable = true;  // the same host finds the session that it opened
  return exchange_.read(op, question, record_by<model::Session>(wire::parse_session));
}

Result<> RestVolmaster::renew_session(const Op& op, const model::NodeName& node, const std::string& session) {
  const std::string target = fmt::format("{}/session/{}/renewal", target_of(node), http::encode(session));
  Question question{"POST", target, "", {}};
  question.repeatable = true;  // a session that was renewed twice has its full time once
  return exchange_.tell(op, question);
}

Result<model::Record<model::Node>> RestVolmaster::get_node(const Op& op, const model::NodeName& name) {
  return exchange_.read(op, {.target = target_of(name)}, record_by<model::Node>(wire::parse_node));
}

Result<service::Page<model::Node>> RestVolmaster::list_nodes(const Op& op, const service::ListQuery& query) {
  service::ListQuery all = query;
  all.tenant.clear();  // means nothing here
  return exchange_.read(op, {.target = list_target("/v1/nodes", all)},
                        page_by<model::Node>(wire::parse_node));
}

void RestVolmaster::next_task(const Op& op, const model::NodeName& node, Millis wait, TaskCallback callback) {
  const auto next = [&]() -> Result<std::optional<service::Task>> {
    Question question{"POST", target_of(node) + "/tasks/next", wait_body(op, wait), {}};
    question.repeatable = false;  // a task may have been handed out with the answer that is lost
    const Answer answer = TRY(exchange_.ask(op, question));
    if (answer.status == 204) return std::optional<service::Task>();
    return std::optional(TRY(exchange_.understood(question, answer, wire::parse_task)));
  };
  callback(next());
}

Result<> RestVolmaster::finish_task(const Op& op, const model::NodeName& node,
                                    const service::TaskResult& result) {
  const std::string target = fmt::format("{}/tasks/{}", target_of(node), http::encode(result.id));
  Question question{"POST", target, wire::to_text(result), {}};
  question.repeatable = true;  // the first one ends the wait; nobody waits for a second
  return exchange_.tell(op, question);
}

}  // namespace volplugin::client
