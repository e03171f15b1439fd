// SPDX-License-Identifier: Apache-2.0
// EventSource: changes of the records as they happen, for those who would otherwise list again and again.
#pragma once

#include "model/records.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace volplugin::service {

enum class Change { put, erase };

// One record that was made, changed or erased.
struct Event {
  std::uint64_t revision = 0;  // of the store after the change
  std::string_view kind;       // tenant, volume, mount, snapshot, node, session
  std::string name;            // of the record: "tenant1/test"
  Change change = Change::put;
  // As it is after the change. None when it was erased, or when it cannot be read.
  std::variant<std::monostate, model::Tenant, model::Volume, model::Mount, model::Snapshot, model::Node,
               model::Session>
      record;
};

// All events of one or more revisions, ascending.
struct EventBatch {
  std::vector<Event> events;
  std::uint64_t revision = 0;  // everything up to here has been told
  // Nobody knows any more what changed: whoever follows has to list the records again. Has no events.
  bool reset = false;
};

class EventSource {
 public:
  using Observer = std::function<void(const EventBatch&)>;

  virtual ~EventSource() = default;

  // Calls back once at once with a reset, and then for every change after the revision of that, in order and
  // without gaps, when lists show it already; one call at a time, on a thread of the source. The observer
  // must not block and not call this. There is one observer at a time: a new one replaces it, an empty one
  // ends it, and after the return the former is not called any more.
  virtual void observe(Observer observer) = 0;
};

}  // namespace volplugin::service
