// SPDX-License-Identifier: Apache-2.0
#include "backend/pool_name.h"

#include <algorithm>

namespace volplugin::backend {
namespace {

constexpr size_t kMaxPoolName = 63;
constexpr size_t kMaxFileName = 255;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
}

}  // namespace

Result<> check_pool_name(const std::string& pool) {
  const bool good = !pool.empty() && pool.size() <= kMaxPoolName && is_alphanumeric(pool[0]) &&
                    std::ranges::all_of(pool, is_name_character);
  if (good) return {};
  return make_error(
      Code::invalid_argument,
      fmt::format("pool name '{}': a pool of this backend is named with 1 to 63 letters, digits, '_', "
                  "'.' or '-', the first a letter or digit",
                  pool));
}

Result<> check_image_name(const std::string& image) {
  const bool good = !image.empty() && image.size() <= kMaxFileName && image[0] != '.' &&
                    std::ranges::all_of(image, [](char c) { return c != '/' && c != '\0'; });
  if (good) return {};
  return make_error(Code::invalid_argument, fmt::format("image name '{}' is no plain file name", image));
}

}  // namespace volplugin::backend
