// SPDX-License-Identifier: Apache-2.0
// Request bodies, parsed strictly: unknown keys are refused, nothing is coerced. Pure functions; every
// error is invalid_argument and names the place. What the path says is given and must agree.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "model/records.h"
#include "service/volmaster.h"

#include <string_view>

namespace volplugin::rest {

// The longest a node's request for work may wait; shorter than any proxy's and client's patience.
inline constexpr Millis kMaxTaskWait{50'000};

Result<model::Tenant> parse_tenant_body(std::string_view body, const model::TenantName& name);
Result<service::CreateVolume> parse_create_body(std::string_view body);
Result<service::AdoptVolume> parse_adopt_body(std::string_view body, const model::VolumeId& volume);
Result<service::TakeSnapshot> parse_snapshot_body(std::string_view body);
Result<service::AcquireMount> parse_acquire_body(std::string_view body, const model::VolumeId& volume);
Result<service::UpdateMount> parse_update_body(std::string_view body, const model::VolumeId& volume);
Result<service::OpenSession> parse_session_body(std::string_view body, const model::NodeName& name);
Result<Millis> parse_wait_body(std::string_view body);
Result<service::TaskResult> parse_result_body(std::string_view body, std::string_view task);

}  // namespace volplugin::rest
