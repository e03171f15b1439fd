// SPDX-License-Identifier: Apache-2.0
// Bodies from outside: any bytes give a value or invalid_argument, and a value can be written and read
// again as the same.
#include "base/check.h"
#include "model/records.h"
#include "rest/bodies.h"
#include "wire/records.h"

#include <cstdint>

namespace {

using namespace volplugin;

template <class T>
bool accepted(const Result<T>& parsed) {
  if (parsed) return true;
  CHECK(parsed.error().code == Code::invalid_argument);
  CHECK(!parsed.error().message.empty());
  return false;
}

void check_tenant(std::string_view text) {
  static const auto name = *model::TenantTag::parse("t");
  const auto tenant = rest::parse_tenant_body(text, name);
  if (!accepted(tenant)) return;
  accepted(model::validate_tenant(*tenant));
  const auto again = rest::parse_tenant_body(wire::to_text(*tenant), name);
  CHECK(again && again->defaults == tenant->defaults && again->filesystems == tenant->filesystems);
}

void check_volume(std::string_view text) {
  const auto request = rest::parse_create_body(text);
  if (accepted(request)) accepted(model::parse_driver_options(request->options));
  static const auto id = *model::parse_volume_id("t/v");
  accepted(rest::parse_adopt_body(text, id));
  accepted(rest::parse_snapshot_body(text));
}

void check_mount(std::string_view text) {
  static const auto volume = *model::parse_volume_id("t/v");
  accepted(rest::parse_acquire_body(text, volume));
  accepted(rest::parse_update_body(text, volume));
}

void check_node(std::string_view text) {
  static const auto name = *model::NodeTag::parse("n");
  accepted(rest::parse_session_body(text, name));
  accepted(rest::parse_result_body(text, "1"));
  if (const auto wait = rest::parse_wait_body(text); accepted(wait))
    CHECK(*wait >= Millis(0) && *wait <= rest::kMaxTaskWait);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_tenant(text);
  check_volume(text);
  check_mount(text);
  check_node(text);
  return 0;
}
