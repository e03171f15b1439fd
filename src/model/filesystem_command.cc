// SPDX-License-Identifier: Apache-2.0
#include "model/filesystem_command.h"

#include <algorithm>

namespace volplugin::model {

Result<> check_filesystem_command(std::string_view command, std::string_view field) {
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::invalid_argument,
                      fmt::format("{}: the command {}; write one like '{}', where % is the device and %% a "
                                  "literal percent sign",
                                  field, why, kDefaultFilesystemCommand));
  };
  if (command.empty()) return refuse("is empty");
  if (command.size() > kMaxFilesystemCommand)
    return refuse(fmt::format("is longer than {} bytes", kMaxFilesystemCommand));
  if (command.contains('\0')) return refuse("contains a NUL byte");
  for (size_t i = 0; i < command.size(); ++i) {
    if (command[i] != '%') continue;
    if (i + 1 == command.size() || command[i + 1] != '%') return {};
    ++i;
  }
  return refuse("has no % for the device");
}

std::string expand_filesystem_command(std::string_view command, std::string_view device) {
  std::string out;
  for (size_t i = 0; i < command.size(); ++i) {
    if (command[i] != '%') {
      out += command[i];
    } else if (i + 1 < command.size() && command[i + 1] == '%') {
      out += '%';
      ++i;
    } else {
      out += device;
    }
  }
  return out;
}

std::vector<std::string> plain_words(std::string_view command) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=,.:/@ ";
  if (!command.starts_with("mkfs") || command.find_first_not_of(kPlain) != command.npos) return {};
  std::vector<std::string> words;
  for (size_t begin = 0; begin < command.size();) {
    const size_t end = std::min(command.find(' ', begin), command.size());
    if (end > begin) words.emplace_back(command.substr(begin, end - begin));
    begin = end + 1;
  }
  // "mkfs=x" would be a variable.
  if (words.front().find('=') != std::string::npos) return {};
  return words;
}

}  // namespace volplugin::model
