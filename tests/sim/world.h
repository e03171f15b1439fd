// SPDX-License-Identifier: Apache-2.0
// World: a whole cluster in one thread, and everything that happens to it, from one seed: two volmasters,
// three hosts, a store, storage and networks. A run is steps, and then an end at which everything is mended
// and has to come to rest. The same seed and number of steps are the same run.
//
//   World world(seed);
//   if (const auto violation = world.run(3000)) ... *violation, world.trace()
#pragma once

#include "chance.h"
#include "truth.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::sim {

// A clock that moves when it is told to, and when somebody waits.
class SimClock final : public Clock {
 public:
  SteadyTime now() const override { return SteadyTime{} + since_start; }
  WallTime wall() const override { return WallTime{Millis(1'700'000'000'000) + since_start}; }
  void pause(Millis time, const std::stop_token&) const override { on_pause(time); }

  Millis since_start{1};
  std::function<void(Millis)> on_pause;
};

class World final : public Courier {
 public:
  explicit World(std::uint64_t seed);
  ~World() override;

  // What was broken, if anything.
  std::optional<std::string> run(std::uint64_t steps);
  std::uint64_t steps() const { return steps_; }
  std::string trace() const;  // the last steps, a line each

 private:
  using Step = void (World::*)();
  struct Weighed {
    Step step;
    std::uint64_t weight;
    bool trouble;  // some runs have none of this kind
  };
  static const std::vector<Weighed>& all_steps();

  void pass(Process& process) override;
  bool fault(std::uint64_t one_in) override;
  Outcome send(const Link& link, Request request) override;
  std::uint64_t removes_of(const model::VolumeId& id) override { return truth_.removes_of(id.name()); }
  void created(const model::Volume& volume, std::uint64_t removes) override;
  Result<> removing(const model::VolumeId& id, const std::function<Result<>()>& remove) override;
  std::uint64_t removes_of(const model::SnapshotId& id) override { return truth_.snapshot_removes_of(id); }
  void taken(const model::Snapshot& snapshot, std::uint64_t removes) override {
    truth_.taken(snapshot, removes);
  }
  Result<> removing(const model::SnapshotId& id, const std::function<Result<>()>& remove) override;
  const Clock& clock() const override { return clock_; }

  void step();
  bool carry_out(const std::shared_ptr<Master>& master, const Request& request);
  Op op(const std::string& actor) const { return Op(clock_, Millis(60'000), "sim", actor); }
  void let_pass(Millis time);
  void start_agent(Host& host);
  void start_master(size_t number);
  void deliver_all();
  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    note_line(fmt::format(text, std::forward<Args>(args)...));
  }
  void note_line(std::string line);

  // steps_of_users.cc
  void write();
  void create();
  void remove();
  void docker_mount();
  void docker_unmount();
  void force_remove();
  void adopt();
  void forget();
  void take_snapshot();
  void remove_snapshot();
  void mount_on(Host& host, const std::string& volume);
  void stop_container(Host& host, size_t number);
  // steps_of_programs.cc
  void keep_session();
  void recover_agent();
  void recover_master();
  void prolong();
  void deliver();
  void advance();
  void deliver_late();
  void keep_session_of(Host& host);
  void recover_agent_of(Host& host);
  void recover_master_of(const std::shared_ptr<Master>& master);
  // steps_of_trouble.cc
  void restart_agent();
  void restart_master();
  void lose_power();
  void power_on();
  void freeze();
  void thaw();
  void cut();
  void mend_link();
  void lose_store();
  void find_store();
  void compact();
  void power_on_host(Host& host);
  // rest.cc
  void mend_everything();
  void come_to_rest();
  void use_everything();

  Chance chance_;
  SimClock clock_;
  SimStore store_{clock_};
  Storage storage_;
  std::deque<Host> hosts_;
  Truth truth_{storage_, hosts_};
  std::vector<std::shared_ptr<Master>> masters_;
  Process person_{"a person"};
  Link persons_link_;
  Network persons_network_{*this, person_, persons_link_};
  std::deque<Request> late_;
  std::optional<size_t> slow_watch_;  // in some runs: its cache is far behind
  std::vector<Weighed> weighed_;      // of this run
  std::uint64_t weight_ = 0;
  int calm_ = 0;   // no trouble, nothing in between
  int depth_ = 0;  // of steps inside steps
  std::uint64_t steps_ = 0;
  std::uint64_t lives_ = 0;
  std::string directory_;
  std::deque<std::string> trace_;
};

}  // namespace volplugin::sim
