// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/device_start.h"

#include "base/check.h"
#include "os/file.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

// Memory as O_DIRECT wants it.
struct alignas(4096) Block : std::array<char, 4096> {};

}  // namespace

bool write_at_start(const std::string& device, const std::string& text) {
  Block block{};
  CHECK(text.size() <= block.size());
  std::ranges::copy(text, block.begin());
  const auto opened = os::open_file(device, O_WRONLY | O_DIRECT | O_SYNC);
  return opened && ::pwrite(opened->get(), block.data(), block.size(), 0) == ssize_t(block.size());
}

std::string read_at_start(const std::string& device) {
  Block block{};
  const auto opened = os::open_file(device, O_RDONLY | O_DIRECT);
  if (!opened || ::pread(opened->get(), block.data(), block.size(), 0) != ssize_t(block.size()))
    throw std::runtime_error("cannot read " + device);
  return {block.begin(), std::ranges::find(block, '\0')};
}

}  // namespace volplugin::backend
