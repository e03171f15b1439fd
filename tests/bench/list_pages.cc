// SPDX-License-Identifier: Apache-2.0
#include "list_pages.h"

#include <algorithm>

#include <fmt/format.h>

namespace volplugin::bench {
namespace {

constexpr size_t kTail = 300;  // of a page: there it says where the next one begins

std::string escaped(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? name : name.substr(0, slash) + "%2F" + name.substr(slash + 1);
}

}  // namespace

std::string text_field(std::string_view json, std::string_view name) {
  const std::string key = fmt::format("\"{}\":\"", name);
  const size_t at = json.rfind(key);
  if (at == json.npos) return {};
  const size_t start = at + key.size();
  return std::string(json.substr(start, json.find('"', start) - start));
}

size_t list_pages(const std::function<std::string(const std::string&)>& get, int limit) {
  size_t bytes = 0;
  std::string after;
  do {
    std::string target = fmt::format("/v1/volumes?limit={}", limit);
    if (!after.empty()) target += "&after=" + escaped(after);
    const std::string page = get(target);
    bytes += page.size();
    after = text_field(std::string_view(page).substr(page.size() - std::min(page.size(), kTail)), "next");
  } while (!after.empty());
  return bytes;
}

}  // namespace volplugin::bench
