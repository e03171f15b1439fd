// SPDX-License-Identifier: Apache-2.0
#include "os/uuid.h"

#include <uuid/uuid.h>

namespace volplugin::os {
namespace {

// 6e0bd0b1-6c3c-4f5e-9f0a-2d4a3f8c7b51: random once, never to be changed (names on disk come from it).
constexpr uuid_t kNameSpace{0x6e, 0x0b, 0xd0, 0xb1, 0x6c, 0x3c, 0x4f, 0x5e,
                            0x9f, 0x0a, 0x2d, 0x4a, 0x3f, 0x8c, 0x7b, 0x51};

std::string to_text(const uuid_t raw) {
  char text[UUID_STR_LEN];
  uuid_unparse_lower(raw, text);
  return text;
}

}  // namespace

std::string new_uuid() {
  uuid_t raw;
  uuid_generate_random(raw);
  return to_text(raw);
}

std::string uuid_of(std::string_view name) {
  uuid_t raw;
  uuid_generate_sha1(raw, kNameSpace, name.data(), name.size());
  return to_text(raw);
}

}  // namespace volplugin::os
