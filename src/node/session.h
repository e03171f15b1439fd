// SPDX-License-Identifier: Apache-2.0
// SessionKeeper: the host's session with volmaster, by which others know that it is there. While it is valid
// nobody else is given what this host has mounted.
//
//   (none) --open--> valid --not renewed for its ttl, or told so--> (none)
//
// How long it is valid is counted on this host's clock from before each call that prolongs it was made, so
// it ends here before it ends for the others. Threads: any; ensure() and renew() of several threads queue.
#pragma once

#include "service/volume_records.h"

#include <mutex>
#include <optional>
#include <string>

namespace volplugin::node {

struct HostIdentity {
  std::string host;  // see OpenSession
  Millis ttl{30'000};
};

class SessionKeeper {
 public:
  SessionKeeper(service::VolumeRecords& records, const Clock& clock, HostIdentity identity);

  // Blocks. The id of the valid session; opens one if there is none. Errors: those of open_session.
  Result<std::string> ensure(const Op& op, const model::Node& node);
  // Blocks. Prolongs the session, or opens one. To be called every interval(). Errors: of open_session.
  Result<> renew(const Op& op, const model::Node& node);
  // Tells volmaster again what the node says of itself. Blocks.
  Result<> tell(const Op& op, const model::Node& node);

  // Does not block. nullopt: there is none, or it is over by this host's clock.
  std::optional<std::string> valid() const;
  Millis interval() const { return identity_.ttl / 3; }

 private:
  Result<> open(const Op& op, const model::Node& node);
  void prolong(SteadyTime asked);

  service::VolumeRecords& records_;
  const Clock& clock_;
  const HostIdentity identity_;
  std::mutex calls_;          // one call to volmaster at a time
  mutable std::mutex mutex_;  // of what follows
  std::string id_;            // empty: none
  SteadyTime valid_until_{};
};

}  // namespace volplugin::node
