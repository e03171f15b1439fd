// SPDX-License-Identifier: Apache-2.0
// Process: one life of a simulated program, an agent or a volmaster. There are no threads: at each call that
// leaves a process the simulator may let others take steps first (Gate), so calls of one process lie inside
// one another on the stack. What would wait for a lock that an outer call holds must not begin there.
//
// A process that was killed answers nobody and reaches nothing any more: its calls return with errors, like
// the stack of a program that is gone never does, and nothing that they do on their way has any effect.
#pragma once

#include "base/result.h"

#include <memory>
#include <set>
#include <string>

namespace volplugin::sim {

struct Process {
  std::string name;
  bool dead = false;
  std::multiset<std::string> turns{};  // volumes whose turn an outer call has
  int exclusive = 0;                   // outer calls under a lock that other calls want
  int looping = 0;                     // outer calls that take turns of any volume

  bool may_take(const std::string& volume) const {
    return !dead && exclusive == 0 && looping == 0 && !turns.contains(volume);
  }
  bool may_loop() const { return !dead && exclusive == 0 && looping == 0; }
};

// Where a process leaves its own memory.
class Gate {
 public:
  virtual ~Gate() = default;
  // Others may take steps; `process` may be dead afterwards.
  virtual void pass(Process& process) = 0;
  // Whether what comes next goes wrong: one of so many times, and never in calm times.
  virtual bool fault(std::uint64_t one_in) = 0;
};

class Counted {
 public:
  explicit Counted(int& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  int& count_;
};

class Turn {
 public:
  Turn(Process& process, const std::string& volume) : process_(process), at_(process.turns.insert(volume)) {}
  ~Turn() { process_.turns.erase(at_); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Process& process_;
  std::multiset<std::string>::iterator at_;
};

inline Error gone(const Process& process, Effect effect) {
  return make_error(Code::unavailable, process.name + " was killed", effect);
}

// A call that leaves `process`: others first, then `act` unless something fails before, and the answer unless
// something fails after. `what` is named.
template <class Act>
auto leave(Gate& gate, Process& process, std::string_view what, std::uint64_t fault_one_in, Act act)
    -> decltype(act()) {
  gate.pass(process);
  if (process.dead) return gone(process, Effect::none);
  if (gate.fault(fault_one_in)) return make_error(Code::unavailable, fmt::format("{}: fails before", what));
  auto acted = act();
  if (acted && gate.fault(fault_one_in))
    return make_error(Code::unavailable, fmt::format("{}: done, but fails after", what), Effect::unknown);
  gate.pass(process);
  if (process.dead) return gone(process, Effect::unknown);
  return acted;
}

}  // namespace volplugin::sim
