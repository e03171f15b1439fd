// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: a Volmaster that says what it was asked, and requests without a socket.
#pragma once

#include "rest/api.h"
#include "service/volmaster.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace volplugin::rest::test {

// Answers of one value per resource, or with `error` when it is set. Remembers the Op of the last call.
class StubVolmaster final : public service::Volmaster {
 public:
  std::optional<Error> error;
  std::uint64_t revision = 7;
  std::optional<std::uint64_t> asked_revision;
  std::optional<service::CreateVolume> asked_volume;
  std::optional<service::RemoveMode> asked_mode;
  std::optional<service::ListQuery> asked_list;
  std::optional<service::TaskResult> finished;
  std::string asked_name;
  bool existed = true;
  bool store_ok = true;
  TaskCallback waiting;
  std::thread::id thread;
  std::optional<Op> op;

  Result<model::Record<model::Tenant>> put_tenant(const Op& o, const model::Tenant& tenant,
                                                  std::optional<std::uint64_t> if_revision) override {
    asked_revision = if_revision;
    return answer(o, tenant);
  }
  Result<> delete_tenant(const Op& o, const model::TenantName&, std::optional<std::uint64_t> r) override {
    asked_revision = r;
    return done(o);
  }
  Result<model::Record<model::Tenant>> get_tenant(const Op& o, const model::TenantName& name) override {
    asked_name = name.str();
    if (!existed) return make_error(Code::not_found, "no such tenant");
    return answer(o, model::Tenant{name, {}, {}});
  }
  Result<service::Page<model::Tenant>> list_tenants(const Op& o, const service::ListQuery& q) override {
    return page<model::Tenant>(o, q);
  }

  Result<service::CreateOutcome> create_volume(const Op& o, const service::CreateVolume& request) override {
    asked_volume = request;
    return service::CreateOutcome{TRY(answer(o, some_volume(request.id))), !existed};
  }
  Result<model::Record<model::Volume>> get_volume(const Op& o, const model::VolumeId& id) override {
    asked_name = id.name();
    return answer(o, some_volume(id));
  }
  Result<service::Page<model::Volume>> list_volumes(const Op& o, const service::ListQuery& q) override {
    return page<model::Volume>(o, q);
  }
  Result<> remove_volume(const Op& o, const model::VolumeId& id, service::RemoveMode mode) override {
    asked_name = id.name();
    asked_mode = mode;
    return done(o);
  }

  Result<model::Record<model::Mount>> acquire_mount(const Op& o, const service::AcquireMount& r) override {
    return answer(o, model::Mount{r.volume, "uid", r.node});
  }
  Result<model::Record<model::Mount>> update_mount(const Op& o, const service::UpdateMount& r) override {
    return answer(o, model::Mount{r.volume, "uid", r.node});
  }
  Result<> release_mount(const Op& o, const service::ReleaseMount& r) override {
    asked_name = fmt::format("released by {} under {}{}", r.node.str(), r.claim, r.fenced ? ", fenced" : "");
    return done(o);
  }
  Result<model::Record<model::Volume>> adopt_volume(const Op& o, const service::AdoptVolume& r) override {
    asked_name = fmt::format("adopted {} with {} options{}{}", r.id.name(), r.options.size(),
                             r.layout ? fmt::format(", layout {}", to_string(*r.layout)) : "",
                             r.confirmed == service::Confirmed::yes ? " for sure" : "");
    return answer(o, some_volume(r.id));
  }
  static model::Snapshot some_snapshot(const model::SnapshotId& id) { return {id, "uid", "volume-uid"}; }
  Result<model::Record<model::Snapshot>> take_snapshot(const Op& o, const service::TakeSnapshot& r) override {
    asked_name = r.volume.name() + (r.name ? "/" + r.name->str() : "");
    return answer(o, some_snapshot({r.volume, r.name ? *r.name : *model::SnapshotTag::parse("made-up")}));
  }
  Result<model::Record<model::Snapshot>> get_snapshot(const Op& o, const model::SnapshotId& id) override {
    asked_name = id.text();
    return answer(o, some_snapshot(id));
  }
  Result<service::Page<model::Snapshot>> list_snapshots(const Op& o, const service::ListQuery& q) override {
    return page<model::Snapshot>(o, q);
  }
  Result<> remove_snapshot(const Op& o, const model::SnapshotId& id) override {
    asked_name = id.text();
    return done(o);
  }
  Result<> forget_mount(const Op& o, const service::ForgetMount& r) override {
    asked_name = fmt::format("forgotten{}{}", r.claim ? " under " + *r.claim : "",
                             r.confirmed == service::Confirmed::yes ? " for sure" : "");
    return done(o);
  }
  Result<model::Record<model::Mount>> get_mount(const Op& o, const model::VolumeId& id) override {
    return answer(o, model::Mount{id, "uid", *model::NodeTag::parse("n")});
  }
  Result<service::Page<model::Mount>> list_mounts(const Op& o, const service::ListQuery& q) override {
    return page<model::Mount>(o, q);
  }

  Result<model::Record<model::Session>> open_session(const Op& o, const service::OpenSession& r) override {
    return answer(o, model::Session{r.node.name, "1", r.host, r.node.boot_id, r.ttl});
  }
  Result<> renew_session(const Op& o, const model::NodeName& node, const std::string& session) override {
    asked_name = fmt::format("{} of {} renewed", session, node.str());
    return done(o);
  }
  Result<model::Record<model::Node>> get_node(const Op& o, const model::NodeName& name) override {
    return answer(o, model::Node{name});
  }
  Result<service::Page<model::Node>> list_nodes(const Op& o, const service::ListQuery& q) override {
    return page<model::Node>(o, q);
  }
  void next_task(const Op& o, const model::NodeName&, Millis, TaskCallback callback) override {
    op = o;
    waiting = std::move(callback);
  }
  Result<> finish_task(const Op& o, const model::NodeName&, const service::TaskResult& result) override {
    finished = result;
    return done(o);
  }
  Result<std::vector<model::Operation>> list_operations(const Op& o) override {
    TRY(done(o));
    return std::vector<model::Operation>{{"id", "create", "t/v", "running", "", {}}};
  }
  Result<model::Operation> get_operation(const Op& o, const std::string& id) override {
    TRY(done(o));
    return model::Operation{id, "create", "t/v", "running", "", {}};
  }
  Result<service::Health> health(const Op& o) override {
    TRY(done(o));
    return service::Health{store_ok, store_ok ? "ok" : "disk full", "1.2.3"};
  }

  static model::Volume some_volume(const model::VolumeId& id) { return {id, "uid", {}}; }

 private:
  Result<> done(const Op& o) {
    op = o;
    thread = std::this_thread::get_id();
    if (error) return *error;
    return {};
  }
  template <class T>
  Result<model::Record<T>> answer(const Op& o, T value) {
    TRY(done(o));
    return std::make_shared<const model::Versioned<T>>(std::move(value), revision);
  }
  template <class T>
  Result<service::Page<T>> page(const Op& o, const service::ListQuery& query) {
    asked_list = query;
    TRY(done(o));
    return service::Page<T>{{}, "t/next", revision};
  }
};

// Tells what the test tells it.
class StubEvents final : public service::EventSource {
 public:
  void observe(Observer observer) override {
    tell = std::move(observer);
    if (tell) tell({.events = {}, .revision = revision, .reset = true});
  }
  Observer tell;
  std::uint64_t revision = 10;
};

// What was written to a stream.
class CapturedStream final : public http::Stream::Sink {
 public:
  bool write(http::Stream::Text text) override {
    if (open) written += *text;
    return open;
  }
  bool is_open() const override { return open; }
  void end() override { open = false; }

  std::string written;
  bool open = true;
};

// Takes the answer of one request.
class Captured final : public http::Reply::Sink {
 public:
  std::shared_ptr<http::Stream::Sink> stream(const http::Response& head, size_t) override {
    send(head);
    return streamed;
  }
  const std::shared_ptr<CapturedStream> streamed = std::make_shared<CapturedStream>();

  void send(http::Response response) override {
    const std::lock_guard lock(mutex_);
    if (!response_) response_ = std::move(response);
    changed_.notify_all();
  }
  void abandon() override {}

  bool answered() const {
    const std::lock_guard lock(mutex_);
    return response_.has_value();
  }
  // Waits for it; status 0 when none came.
  http::Response get() const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [this] { return response_.has_value(); });
    http::Response none;
    none.status = 0;
    return response_.value_or(none);
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<http::Response> response_;
};

inline std::string header_of(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return "";
}

// "PUT", "/v1/tenants/t?x=1", a body, headers in lower case.
inline http::Request make_request(std::string method, std::string target, std::string body = "",
                                  std::vector<std::pair<std::string, std::string>> headers = {}) {
  http::Request request;
  const size_t mark = std::min(target.find('?'), target.size());
  request.method = std::move(method);
  request.path = target.substr(0, mark);
  request.query = mark == target.size() ? "" : target.substr(mark + 1);
  request.body = std::move(body);
  request.headers = std::move(headers);
  return request;
}

inline std::shared_ptr<Captured> begin(Api& api, http::Request request) {
  auto captured = std::make_shared<Captured>();
  api.handle(std::move(request), http::Reply(captured));
  return captured;
}

}  // namespace volplugin::rest::test
