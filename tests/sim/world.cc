// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include "base/check.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace volplugin::sim {
namespace {

constexpr int kMaxDepth = 3;
constexpr std::uint64_t kBetweenOneIn = 14;
constexpr std::uint64_t kLostOneIn = 60;  // requests, answers
constexpr size_t kMaxLate = 16;
constexpr size_t kTraceLines = 80;
constexpr size_t kMasters = 2;

std::string scratch() {
  const char* const chosen = std::getenv("TMPDIR");
  std::string pattern = std::string(chosen != nullptr ? chosen : "/dev/shm") + "/volplugin-sim-XXXXXX";
  CHECK(mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

}  // namespace

World::World(std::uint64_t seed) : chance_(seed), directory_(scratch()) {
  const Counted calm(calm_);
  clock_.on_pause = [this](Millis time) {
    let_pass(std::max(time, Millis(2'000)));
    deliver_all();
    pass(person_);
  };
  store_.on_change = [this](const kv::Event& event) {
    truth_.changed(event);
    note("  record {}: {}", event.key, truth_.describe(event.key));
  };
  truth_.at_work = [this](const std::string& volume) {
    return std::ranges::any_of(masters_, [&](const auto& master) {
      return master->process.looping > 0 || master->process.turns.contains(volume);
    });
  };
  storage_.on_format = [this](const std::string& uid) { truth_.formatting(uid); };
  for (const char* const name : {"a", "b", "c"}) hosts_.push_back({name, Kernel{name, {}, {}, {}}});
  storage_.cluster->put_foreign("", kFoundImage, Bytes::mib(16), found_content());
  masters_.resize(kMasters);
  for (size_t number = 0; number < kMasters; ++number) start_master(number);
  for (auto& host : hosts_) start_agent(host);
  model::Tenant tenant{*model::TenantTag::parse("t"), {}, {}};
  tenant.defaults.size = Bytes::mib(16);
  CHECK(masters_[0]->control.put_tenant(op("setup"), tenant, {}).has_value());
  deliver_all();
  for (const auto& kind : all_steps()) {
    if (kind.trouble && chance_.one_in(4)) continue;
    weighed_.push_back(kind);
    weight_ += kind.weight;
  }
  if (chance_.one_in(3)) slow_watch_ = static_cast<size_t>(chance_.below(kMasters));
}

World::~World() {
  for (auto& host : hosts_) host.life.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::optional<std::string> World::run(std::uint64_t steps) {
  while (steps_ < steps && !truth_.violation()) step();
  if (!truth_.violation()) mend_everything();
  if (!truth_.violation()) come_to_rest();
  if (!truth_.violation()) use_everything();
  return truth_.violation();
}

void World::step() {
  ++steps_;
  std::uint64_t at = chance_.below(weight_);
  for (const auto& kind : weighed_) {
    if (at < kind.weight) {
      (this->*kind.step)();
      break;
    }
    at -= kind.weight;
  }
  truth_.check();
}

void World::pass(Process& process) {
  if (calm_ > 0 || depth_ >= kMaxDepth || truth_.violation() || !chance_.one_in(kBetweenOneIn)) return;
  note("between two steps of {}:", process.name);
  const Counted deeper(depth_);
  step();
}

bool World::fault(std::uint64_t one_in) {
  if (calm_ > 0 || !chance_.one_in(one_in)) return false;
  note("  (a fault)");
  return true;
}

Courier::Outcome World::send(const Link& link, Request request) {
  if (link.cut || fault(kLostOneIn)) return Outcome::refused;
  const auto keep = [&] {
    if (late_.size() < kMaxLate) late_.push_back(request);
  };
  if (fault(kLostOneIn)) {
    note("  held up: {}", request.what);
    keep();
    return Outcome::not_now;
  }
  if (fault(kLostOneIn)) {
    note("  will come again: {}", request.what);
    keep();
  }
  const auto master = chance_.of(masters_);
  if (!carry_out(master, request)) return Outcome::refused;
  return master->process.dead || link.cut || fault(kLostOneIn) ? Outcome::answer_lost : Outcome::carried_out;
}

bool World::carry_out(const std::shared_ptr<Master>& master, const Request& request) {
  Process& process = master->process;
  if (process.dead || (!request.volume.empty() && !process.may_take(request.volume))) return false;
  std::optional<Turn> turn;
  if (!request.volume.empty()) turn.emplace(process, request.volume);
  request.carry_out(*master);
  return true;
}

void World::created(const model::Volume& volume, std::uint64_t removes) {
  truth_.created(volume, removes);
}

Result<> World::removing(const model::VolumeId& id, const std::function<Result<>()>& remove) {
  const std::string promised = truth_.begin_remove(id.name());
  const auto removed = remove();
  truth_.end_remove(id.name(), promised);
  return removed;
}

Result<> World::removing(const model::SnapshotId& id, const std::function<Result<>()>& remove) {
  truth_.begin_snapshot_removal(id);
  const auto removed = remove();
  truth_.end_snapshot_removal(id);
  return removed;
}

void World::let_pass(Millis time) {
  clock_.since_start += time;
  // Leases may end late, by seconds.
  const auto late = calm_ > 0 ? 0 : static_cast<std::int64_t>(chance_.below(3)) * 1'500;
  store_.end_leases(Millis(late));
}

void World::start_agent(Host& host) {
  const Counted calm(calm_);
  const std::string directory = fmt::format("{}/{}", directory_, ++lives_);
  if (host.life) {
    host.life->process.dead = true;
    std::filesystem::copy(host.life->directory, directory);
  }
  clock_.since_start += Millis(1);
  host.life = std::make_shared<AgentLife>(host, storage_, *this, *this, clock_, directory);
}

void World::start_master(size_t number) {
  const Counted calm(calm_);
  if (masters_[number]) masters_[number]->process.dead = true;
  masters_[number] =
      std::make_shared<Master>(store_, storage_, *this, clock_, fmt::format("master-{}", number));
}

void World::deliver_all() {
  for (size_t watch = 0; watch < store_.watches(); ++watch)
    while (store_.deliver(watch, 1'000)) continue;
}

void World::note_line(std::string line) {
  trace_.push_back(fmt::format("{:>6} {:>8.1f}s {}{}", steps_,
                               static_cast<double>(clock_.since_start.count()) / 1000.0,
                               std::string(static_cast<size_t>(depth_) * 2, ' '), line));
  if (trace_.size() > kTraceLines) trace_.pop_front();
}

std::string World::trace() const {
  return fmt::format("{}\n", fmt::join(trace_, "\n"));
}

const std::vector<World::Weighed>& World::all_steps() {
  static const std::vector<Weighed> steps{
      {&World::write, 24, false},         {&World::create, 6, false},
      {&World::remove, 3, false},         {&World::docker_mount, 12, false},
      {&World::docker_unmount, 9, false}, {&World::keep_session, 12, false},
      {&World::recover_agent, 6, false},  {&World::recover_master, 4, false},
      {&World::prolong, 4, false},        {&World::deliver, 14, false},
      {&World::advance, 8, false},        {&World::deliver_late, 2, false},
      {&World::force_remove, 3, true},    {&World::restart_agent, 1, true},
      {&World::restart_master, 1, true},  {&World::lose_power, 1, true},
      {&World::power_on, 3, false},       {&World::freeze, 1, true},
      {&World::thaw, 3, false},           {&World::cut, 1, true},
      {&World::mend_link, 3, false},      {&World::lose_store, 1, true},
      {&World::find_store, 5, false},     {&World::compact, 1, true},
      {&World::adopt, 3, false},          {&World::forget, 1, false},
      {&World::take_snapshot, 5, false},  {&World::remove_snapshot, 3, false},
  };
  return steps;
}

}  // namespace volplugin::sim
