// SPDX-License-Identifier: Apache-2.0
// What must be right before lvmvd serves, in the order in which it is checked: what is wrong on the command
// line first, then what only a look at the machine tells, and nothing is changed before all of that is right.
#pragma once

#include "lvmvd/access.h"
#include "lvmvd/flags.h"

#include <cstdint>
#include <functional>
#include <string>

namespace volplugin::lvmvd {

// Messages of all errors here are meant for stderr as they are.

Result<std::uint16_t> parse_port(std::string_view text);  // 1 to 65535
// "name:port" or "[ipv6]:port" as people give it: what is logged, and what the spec file tells Docker.
// Requires a port that parse_port() takes.
std::string address_of(const Settings& settings);

struct StartConditions {
  std::string program;  // as it was called
  uid_t user = 0;
  std::function<Result<bool>()> volume_group_exists;  // asked only for a name that is not empty
};

// Checks everything, then makes the mount root or takes it over (ensure_directory). Returns the mount root as
// the kernel will show it: absolute, without links. Idempotent.
Result<std::string> prepare_start(const Settings& settings, const StartConditions& conditions,
                                  const Group& group);

}  // namespace volplugin::lvmvd
