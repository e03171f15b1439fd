// SPDX-License-Identifier: Apache-2.0
// What a command gets: its words and flags, the streams and the way to volmaster. Lives for one
// command; used by one thread.
#pragma once

#include "base/op.h"
#include "cli/line.h"
#include "cli/output.h"
#include "cli/target.h"
#include "service/volmaster.h"

#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace volplugin::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

struct FollowEvents {
  std::optional<std::uint64_t> after;                                       // a revision; none: from now on
  std::function<bool(std::string_view event, std::string_view data)> take;  // false: that is enough
};

// The ways out of this process.
struct Connect {
  // To the records; a volmaster does not have to be reached yet, etcd is read within the Op.
  std::function<Result<std::shared_ptr<service::Volmaster>>(const Target& target, const Op& op)> records;
  // To what changes. Blocks until that is lost, which is an error, or `take` has enough; the Op's deadline is
  // for the first event.
  std::function<Result<>(const Target& target, const Op& op, const FollowEvents& request)> events;
};

class Context {
 public:
  // Requires line.command. Errors: invalid_argument (global flags, number of words, a command that does
  // not work without a volmaster).
  static Result<Context> open(const Line& line, Streams& streams, const Connect& connect);

  // Connects at the first call. Errors: invalid_argument (address), unavailable. (With --etcd it is the
  // control plane in this process.)
  Result<service::Volmaster*> volmaster();
  // What changes, see Connect::events.
  Result<> follow(const FollowEvents& request) { return connect_->events(target_, op_, request); }
  const Op& op() const { return op_; }

  // The argument of the command. Errors: invalid_argument naming the rule.
  Result<model::TenantName> tenant() const { return model::TenantTag::parse(line_->words.front()); }
  Result<model::VolumeId> volume() const;
  Result<model::SnapshotId> snapshot() const { return model::parse_snapshot_id(line_->words.front()); }
  Result<model::NodeName> node() const { return model::NodeTag::parse(line_->words.front()); }

  const Line& line() const { return *line_; }
  Streams& streams() const { return *streams_; }
  const Target& target() const { return target_; }
  std::optional<Format> asked_format() const { return format_; }
  Format list_format() const;
  bool quiet() const { return line_->has("quiet"); }

  void print(std::string_view text) const { streams_->out << text; }
  // At once, for what goes on. False: it cannot be written.
  bool print_line(std::string_view text) const { return (streams_->out << text << std::endl).good(); }
  // A line that confirms what was done; not with -q.
  void confirm(std::string_view text) const;
  void warn(std::string_view text) const;

 private:
  Context(const Line& line, Streams& streams, const Connect& connect, Target target, Millis timeout);

  const Line* line_;
  Streams* streams_;
  const Connect* connect_;
  Target target_;
  std::optional<Format> format_;
  Op op_;
  std::shared_ptr<service::Volmaster> volmaster_;
};

// Asks for page after page. `list` is service::Volmaster::list_volumes or one of its kind.
template <class T, class Port>
Result<std::vector<model::Record<T>>> list_all_pages(
    Context& context, Result<service::Page<T>> (Port::*list)(const Op&, const service::ListQuery&),
    service::ListQuery query = {.tenant = "", .after = ""}) {
  auto* const volmaster = TRY(context.volmaster());
  std::vector<model::Record<T>> all;
  while (true) {
    auto page = TRY((volmaster->*list)(context.op(), query));
    all.insert(all.end(), page.items.begin(), page.items.end());
    if (page.next.empty()) return all;
    // A server that does not move on would keep us here until the deadline.
    if (page.next == query.after)
      return make_error(Code::corrupt, "volmaster answered with the same page of the list twice");
    query.after = std::move(page.next);
  }
}

// Prints a list in the format that was asked for.
template <class Item, class T>
Result<> print_list(Context& context, const std::vector<Item>& items, const View<T>& view) {
  context.print(format_list(items, view, context.list_format()));
  return {};
}

}  // namespace volplugin::cli
