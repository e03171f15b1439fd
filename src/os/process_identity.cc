// SPDX-License-Identifier: Apache-2.0
#include "os/process_identity.h"

#include "os/file.h"

#include <sstream>

namespace volplugin::os {

Result<std::string> process_identity(pid_t pid) {
  const std::string text = TRY(read_file(fmt::format("/proc/{}/stat", pid)));
  // The second field is the program's name in parentheses and may contain anything, also parentheses.
  const auto name_end = text.rfind(')');
  if (name_end == text.npos) return make_error(Code::corrupt, fmt::format("/proc/{}/stat has no name", pid));
  std::istringstream fields(text.substr(name_end + 1));
  constexpr int kStartTime = 20;  // field 22 of proc(5), counted from the third
  std::string field;
  for (int i = 0; i < kStartTime; ++i)
    if (!(fields >> field)) return make_error(Code::corrupt, fmt::format("/proc/{}/stat is cut short", pid));
  return fmt::format("{}:{}", pid, field);
}

}  // namespace volplugin::os
