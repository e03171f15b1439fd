// SPDX-License-Identifier: Apache-2.0
#include "model/filesystem_command.h"

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

}  // namespace volplugin::model
