// SPDX-License-Identifier: Apache-2.0
// A policy document: whatever comes, an answer; what is accepted reads back the same.
#include "wire/records.h"

#include <cstdlib>
#include <string_view>

using namespace volplugin;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = json::Value::parse(text, "policy");
  if (!value) return 0;
  const auto tenant = wire::parse_tenant(*value, *model::TenantTag::parse("t"));
  if (!tenant) return 0;
  const auto again = wire::parse_tenant(*json::Value::parse(wire::to_text(*tenant), "again"), tenant->name);
  if (!again || again->defaults != tenant->defaults || again->filesystems != tenant->filesystems)
    std::abort();
  return 0;
}
