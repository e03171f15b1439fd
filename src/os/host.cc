// SPDX-License-Identifier: Apache-2.0
#include "os/host.h"

#include "os/file.h"

#include <cerrno>

#include <sys/utsname.h>

namespace volplugin::os {

Result<std::string> boot_id() {
  std::string text = TRY(read_file("/proc/sys/kernel/random/boot_id", Bytes::kib(1)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() != 36) return make_error(Code::corrupt, fmt::format("boot id '{}' is no uuid", text));
  return text;
}

Result<std::string> host_name() {
  utsname names{};
  if (::uname(&names) != 0) return errno_error(errno, "asking for the host name");
  return std::string(names.nodename);
}

}  // namespace volplugin::os
