// SPDX-License-Identifier: Apache-2.0
// The agent's questions and its part in creating and removing; mount.cc, unmount.cc and recover.cc have the
// rest.
#include "node/agent.h"

#include "model/size.h"
#include "os/process_identity.h"

namespace volplugin::node {
namespace {

// How long a volmaster that hangs is waited for when there is a cached answer; Docker waits 60 s for one.
constexpr Millis kCachedPatience{5'000};

// Volumes that Docker should see: one that is half made or half gone does not exist for it.
bool visible(const model::Volume& volume) {
  return volume.phase == model::Phase::ready;
}

}  // namespace

Agent::Agent(AgentParts parts, AgentSettings settings, std::unique_ptr<Journal> journal)
    : parts_(std::move(parts)),
      settings_(std::move(settings)),
      journal_(std::move(journal)),
      bulkhead_(parts_.clock, settings_.most_per_pool),
      started_at_(parts_.clock.wall()),
      session_(parts_.records, parts_.clock, settings_.host) {}

Result<std::unique_ptr<Agent>> Agent::open(AgentParts parts, AgentSettings settings) {
  std::vector<std::string> problems;
  auto journal = TRY(Journal::open(settings.state_dir, settings.boot_id, problems));
  for (const auto& problem : problems) parts.warn(problem);
  return std::unique_ptr<Agent>(new Agent(std::move(parts), std::move(settings), std::move(journal)));
}

void Agent::engine_activated(std::optional<pid_t> engine) {
  // An engine we cannot tell apart counts as a new one: then counts start anew, and the kernel is asked
  // before anything is taken down.
  const auto identity = engine ? os::process_identity(*engine) : Result<std::string>(make_request_id());
  if (const auto noted = journal_->engine_activated(identity ? *identity : make_request_id()); !noted)
    parts_.warn("noting the engine's start: " + noted.error().message);
}

Result<> Agent::create(const Op& op, const std::string& name,
                       const std::map<std::string, std::string>& options) {
  auto id = TRY(settings_.parse_name(name));
  const auto outcome = TRY(parts_.records.create_volume(op, {std::move(id), options, settings_.node}));
  const std::lock_guard lock(cache_mutex_);
  cache_[outcome.volume->value.id.name()] = outcome.volume;
  return {};
}

Result<> Agent::remove(const Op& op, const std::string& name) {
  const auto id = TRY(settings_.parse_name(name));
  const auto removed = parts_.records.remove_volume(op, id, service::RemoveMode::if_ephemeral);
  // Gone already is what was asked for: an earlier call did it, whose answer was lost in a crash.
  if (!removed && removed.error().code != Code::not_found) return removed.error();
  const std::lock_guard lock(cache_mutex_);
  cache_.erase(id.name());
  return {};
}

// Which pool a call has to do with: that of what is mounted here, or was seen last.
std::string Agent::pool_of(const model::VolumeId& id) const {
  if (const auto entry = journal_->find(id)) return pool_of(entry->volume);
  const std::lock_guard lock(cache_mutex_);
  const auto cached = cache_.find(id.name());
  return cached == cache_.end() ? "volumes that were not seen before" : pool_of(cached->second->value);
}

std::string Agent::pool_of(const model::Volume& volume) {
  return fmt::format("pool '{}' of backend '{}'", volume.options.pool, volume.options.backend);
}

Result<std::string> Agent::path(const Op& op, const std::string& name) {
  return TRY(get(op, name)).mount_point;
}

service::VolumeStatus Agent::status_of(const model::Volume& volume) const {
  const auto entry = journal_->find(volume.id);
  const bool in_use = entry && !entry->uses.empty();
  service::VolumeStatus status{
      volume.id.name(), in_use ? parts_.executor.data_path(volume) : "", volume.created_at, {}};
  status.status = {{"phase", std::string(to_string(volume.phase))},
                   {"size", model::format_size(volume.size)},
                   {"filesystem", volume.options.filesystem},
                   {"backend", volume.options.backend},
                   {"pool", volume.options.pool},
                   {"ephemeral", volume.options.ephemeral ? "true" : "false"}};
  if (volume.node) status.status.emplace_back("node", volume.node->str());
  if (entry) status.status.emplace_back("uses", std::to_string(entry->uses.size()));
  if (entry && entry->fenced) status.status.emplace_back("fenced", "true");
  return status;
}

Result<service::VolumeStatus> Agent::get(const Op& op, const std::string& name) {
  const auto id = TRY(settings_.parse_name(name));
  const auto known = [&] {
    const std::lock_guard lock(cache_mutex_);
    return cache_.contains(id.name()) || journal_->find(id).has_value();
  }();
  auto volume = parts_.records.get_volume(known ? op.with_timeout(kCachedPatience) : op, id);
  const std::lock_guard lock(cache_mutex_);
  if (volume) {
    if (!visible((*volume)->value))
      return make_error(Code::not_found,
                        fmt::format("volume '{}' is {}", name, to_string((*volume)->value.phase)));
    cache_[id.name()] = *volume;
    return status_of((*volume)->value);
  }
  if (volume.error().code != Code::unavailable && volume.error().code != Code::deadline_exceeded)
    return volume.error();
  const auto cached = cache_.find(id.name());
  if (cached != cache_.end()) return status_of(cached->second->value);
  if (const auto entry = journal_->find(id)) return status_of(entry->volume);
  return volume.error();
}

Result<std::vector<service::VolumeStatus>> Agent::list(const Op& op) {
  std::map<std::string, model::Record<model::Volume>> seen;
  service::ListQuery query;
  query.limit = service::ListQuery::kMaxLimit;
  const bool known = [&] {
    const std::lock_guard lock(cache_mutex_);
    return cache_complete_;
  }();
  do {
    const auto page = parts_.records.list_volumes(known ? op.with_timeout(kCachedPatience) : op, query);
    if (!page) return cached_list(page.error());
    for (const auto& volume : page->items)
      if (visible(volume->value)) seen.emplace(volume->value.id.name(), volume);
    query.after = page->next;
  } while (!query.after.empty());
  std::vector<service::VolumeStatus> statuses;
  statuses.reserve(seen.size());
  for (const auto& [name, volume] : seen) statuses.push_back(status_of(volume->value));
  const std::lock_guard lock(cache_mutex_);
  cache_ = std::move(seen);
  cache_complete_ = true;
  return statuses;
}

bool Agent::knows_volumes() const {
  const std::lock_guard lock(cache_mutex_);
  return cache_complete_;
}

Result<std::vector<service::VolumeStatus>> Agent::cached_list(const Error& why) const {
  const std::lock_guard lock(cache_mutex_);
  if ((why.code != Code::unavailable && why.code != Code::deadline_exceeded) || !cache_complete_) return why;
  std::vector<service::VolumeStatus> statuses;
  for (const auto& [name, volume] : cache_) statuses.push_back(status_of(volume->value));
  return statuses;
}

// A task may be overtaken by its own undoing (another thread, a stopped process, a slow network): then the
// record is gone, and an image made now would be nobody's. We hold the volume's turn, so it stays as it is.
Result<> Agent::check_wanted(const Op& op, const model::Volume& volume) {
  const auto record =
      TRY_CTX(parts_.records.get_volume(op, volume.id), "checking that the volume is still wanted");
  if (record->value.uid == volume.uid && record->value.phase == model::Phase::creating) return {};
  return make_error(Code::cancelled,
                    fmt::format("volume '{}' is not being created any more", volume.id.name()));
}

service::TaskResult Agent::run_task(const Op& op, const service::Task& task) {
  service::TaskResult result{task.id, std::nullopt, {}};
  const auto work = [&]() -> Result<> {
    const auto turn = TRY(queue_.enter(op, task.volume.id.name()));
    switch (task.kind) {
      case service::TaskKind::make:
        TRY(check_wanted(op, task.volume));
        result.made = TRY(parts_.executor.make(op, task.volume));
        return {};
      case service::TaskKind::remove:
        return parts_.executor.remove(op, task.volume);
    }
    return make_error(Code::internal, "unknown task");
  };
  if (const auto done = work(); !done) result.error = done.error();
  return result;
}

}  // namespace volplugin::node
