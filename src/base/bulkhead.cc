// SPDX-License-Identifier: Apache-2.0
#include "base/bulkhead.h"

namespace volplugin {
namespace {

constexpr Millis kLookAgain{20};

}  // namespace

Result<Bulkhead::Place> Bulkhead::enter(const Op& op, const std::string& part) {
  const auto what = [&] { return "waiting for a place with " + part; };
  for (;;) {
    TRY(op.check(what()));
    {
      const std::lock_guard lock(mutex_);
      Part& its = parts_.try_emplace(part, 0, clock_.now()).first->second;
      if (its.inside < most_) {
        ++its.inside;
        return Place(this, part);
      }
      if (clock_.now() - its.last_left >= kPatience)
        return make_error(Code::unavailable,
                          fmt::format("{} calls wait for {} already, and none has ended for {} s", its.inside,
                                      part, kPatience.count() / 1000));
    }
    (void)op.sleep(kLookAgain);
  }
}

void Bulkhead::leave(const std::string& part) {
  const std::lock_guard lock(mutex_);
  const auto found = parts_.find(part);
  if (--found->second.inside == 0)
    parts_.erase(found);
  else
    found->second.last_left = clock_.now();
}

}  // namespace volplugin
