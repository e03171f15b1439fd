// SPDX-License-Identifier: Apache-2.0
// What a policy and a driver option can say of a volume. OptionSet is partial (a tenant's
// default-options, or the --opt of one create); VolumeOptions is what came out of merging them.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::model {

struct RateLimit {  // 0: no limit
  std::uint64_t write_iops = 0;
  std::uint64_t read_iops = 0;
  std::uint64_t write_bps = 0;  // bytes per second
  std::uint64_t read_bps = 0;
  bool operator==(const RateLimit&) const = default;
};

// What may happen to a volume of a cluster whose host is lost.
enum class Takeover {
  automatic,  // "auto": the next host that asks gets it, once the lost one is cut off
  manual,     // it waits for a person who removes the mount record
};
std::string_view to_string(Takeover takeover);
// Errors: invalid_argument.
Result<Takeover> parse_takeover(std::string_view word);

struct OptionSet {
  std::optional<std::string> backend;
  std::optional<std::string> pool;
  std::optional<Bytes> size;
  std::optional<std::string> filesystem;
  std::optional<bool> ephemeral;
  std::optional<bool> snapshots;
  std::optional<std::chrono::nanoseconds> snapshot_frequency;
  std::optional<std::uint32_t> snapshot_keep;
  std::optional<std::uint64_t> write_iops, read_iops, write_bps, read_bps;
  std::optional<std::chrono::nanoseconds> mount_wait;
  std::optional<Takeover> takeover;
  std::optional<std::string> node;  // of a create only: on which host a host-local volume is made
  bool operator==(const OptionSet&) const = default;
};

struct VolumeOptions {
  std::string backend;
  std::string pool;
  Bytes size;  // as asked for; Volume::size is what the backend made
  std::string filesystem;
  bool ephemeral = false;
  bool snapshots = false;
  std::chrono::nanoseconds snapshot_frequency{0};
  std::uint32_t snapshot_keep = 0;
  RateLimit rate_limit;
  std::chrono::nanoseconds mount_wait{0};  // for a host that holds it to let go; 0: as the agent is told
  Takeover takeover = Takeover::automatic;
  bool operator==(const VolumeOptions&) const = default;
};

// What the server adds where neither policy nor option says anything.
struct ServerDefaults {
  std::string backend;
  std::map<std::string, std::string> pools;  // default pool per backend
};

// The longest mount_wait: the engine gives up a mount after 120 s.
inline constexpr std::chrono::seconds kMaxMountWait{100};
// "20s". Errors: invalid_argument.
Result<std::chrono::nanoseconds> parse_mount_wait(std::string_view text);

// Docker's --opt and volcli's --opt: the keys of the requirements, `backend`, `mount-wait`, `takeover` and
// `node`. A bare `size` is MiB; an empty value means "not said". Errors: invalid_argument naming the key, the
// rule and, for an unknown key, the valid ones.
Result<OptionSet> parse_driver_options(const std::map<std::string, std::string>& options);
const std::vector<std::string>& driver_option_keys();

// Option over policy over server default. Errors: invalid_argument ("No Pool specified", zero size,
// snapshots without frequency or keep).
Result<VolumeOptions> resolve_options(const OptionSet& policy, const OptionSet& asked,
                                      const ServerDefaults& defaults);

// Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
Result<bool> parse_bool(std::string_view text);

// A volume's options as a set in which everything is said: merging an --opt over it tells what a second
// create of the volume asks for.
OptionSet as_option_set(const VolumeOptions& options);

// "size is 1GB, not 2GB; filesystem is ..." or empty when equal.
std::string difference(const VolumeOptions& existing, const VolumeOptions& asked);

}  // namespace volplugin::model
