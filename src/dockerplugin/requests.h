// SPDX-License-Identifier: Apache-2.0
// The bodies of the Docker volume plugin protocol, version 1. Unknown members are ignored, as a newer
// engine may send some; everything else is strict. Pure.
#pragma once

#include "service/volume_service.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::dockerplugin {

struct VolumeRequest {
  std::string name;
  std::string mount_id;                        // "ID" of Mount and Unmount
  std::map<std::string, std::string> options;  // "Opts" of Create; null and absent are empty
};

// Errors: invalid_argument. An empty body is one: the engine's retries lose their body, and nothing may
// be done for them.
Result<VolumeRequest> parse_request(std::string_view body);

// Answers: the keys of each object in the order of the alphabet, but for a volume, which begins with its
// name; "CreatedAt" and "Status" only where the service gives them.
std::string error_body(std::string_view error);  // "" for success
std::string activate_body();
std::string capabilities_body(std::string_view scope);
std::string mountpoint_body(std::string_view path);
std::string volume_body(const service::VolumeStatus& volume);
std::string volumes_body(const std::vector<service::VolumeStatus>& volumes);

}  // namespace volplugin::dockerplugin
