// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {
namespace {

constexpr Millis kHandBackTimeout{5'000};

// The node is gone, so it cannot begin the task that was just handed out for it. Said at once, the caller
// that waits for it need not wait until its deadline and knows that nothing happened.
void hand_back(service::Volmaster& master, const Op& op, const model::NodeName& node,
               const service::Task& task) {
  service::TaskResult result{task.id, {}, {}};
  result.error =
      make_error(Code::unavailable, fmt::format("node '{}' went away before it got the work", node.str()));
  // not_found: the caller gave up meanwhile, which is as good.
  std::ignore = master.finish_task(op.for_cleanup(kHandBackTimeout), node, result);
}

}  // namespace

Result<http::Response> list_nodes(const Call& call) {
  return page(TRY(call.master.list_nodes(call.op, TRY(list_query(call.query)))));
}

// Never 304: `connected` changes without a new revision.
Result<http::Response> get_node(const Call& call) {
  return record(200, TRY(call.master.get_node(call.op, TRY(node_in_path(call)))));
}

Result<http::Response> open_session(const Call& call) {
  const auto name = TRY(node_in_path(call));
  return record(200,
                TRY(call.master.open_session(call.op, TRY(parse_session_body(call.request.body, name)))));
}

Result<http::Response> renew_session(const Call& call) {
  TRY(call.master.renew_session(call.op, TRY(node_in_path(call)), call.params["session"]));
  return no_content();
}

// Waits without a thread: the answer is sent from the callback.
void next_task(const Call& call, const Respond& respond) {
  const auto node = node_in_path(call);
  if (!node) return respond(node.error());
  const auto wait = parse_wait_body(call.request.body);
  if (!wait) return respond(wait.error());
  call.master.next_task(call.op, *node, *wait,
                        [&master = call.master, op = call.op, node = *node,
                         respond](Result<std::optional<service::Task>> next) {
                          if (!next) return respond(std::move(next).error());
                          if (!*next) return respond(no_content());
                          if (op.stop().stop_requested()) return hand_back(master, op, node, **next);
                          respond(json(200, wire::to_text(**next)));
                        });
}

Result<http::Response> finish_task(const Call& call) {
  const auto node = TRY(node_in_path(call));
  const auto result = TRY(parse_result_body(call.request.body, call.params["task"]));
  TRY(call.master.finish_task(call.op, node, result));
  return no_content();
}

}  // namespace volplugin::rest
