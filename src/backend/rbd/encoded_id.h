// SPDX-License-Identifier: Apache-2.0
// How Ceph encodes the id of an image: a length of 32 bits, low byte first, and so many bytes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace volplugin::backend {

// nullopt: it is none.
inline std::optional<std::string> decode_image_id(std::string_view bytes) {
  constexpr size_t kLength = 4, kMax = 128;
  if (bytes.size() <= kLength || bytes.size() > kLength + kMax) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < kLength; ++i) length |= size_t(static_cast<unsigned char>(bytes[i])) << (8 * i);
  if (length != bytes.size() - kLength) return std::nullopt;
  return std::string(bytes.substr(kLength));
}

}  // namespace volplugin::backend
