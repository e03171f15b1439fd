// SPDX-License-Identifier: Apache-2.0
// Bulkhead: how many callers may be busy with one part of the system at once, so that a part that hangs keeps
// no more threads than that and leaves the rest to others. Thread-safe.
//   const auto place = TRY(bulkhead.enter(op, "pool 'a'"));   // until the end of the scope
#pragma once

#include "base/op.h"
#include "base/result.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace volplugin {

class Bulkhead {
 public:
  static constexpr Millis kPatience{5'000};  // while a part is full and nobody leaves it

  class Place {
   public:
    Place(Place&& other) noexcept
        : bulkhead_(std::exchange(other.bulkhead_, nullptr)), part_(std::move(other.part_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (bulkhead_) bulkhead_->leave(part_);
    }

   private:
    friend class Bulkhead;
    Place(Bulkhead* bulkhead, std::string part) : bulkhead_(bulkhead), part_(std::move(part)) {}
    Bulkhead* bulkhead_;
    std::string part_;
  };

  Bulkhead(const Clock& clock, size_t most) : clock_(clock), most_(most) {}

  // Blocks while the part is full. Errors: unavailable (nobody has left it for kPatience), deadline_exceeded,
  // cancelled. `part` is for people, too.
  Result<Place> enter(const Op& op, const std::string& part);

 private:
  struct Part {
    size_t inside = 0;
    SteadyTime last_left{};  // or since when somebody is inside
  };
  void leave(const std::string& part);

  const Clock& clock_;
  const size_t most_;
  std::mutex mutex_;
  std::map<std::string, Part> parts_;  // those that somebody is in
};

}  // namespace volplugin
