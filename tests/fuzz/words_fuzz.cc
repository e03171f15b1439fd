// SPDX-License-Identifier: Apache-2.0
// Names, sizes, durations, driver options and mkfs commands.
#include "model/duration.h"
#include "model/filesystem_command.h"
#include "model/names.h"
#include "model/options.h"
#include "model/size.h"

#include <cstdlib>
#include <string>

using namespace volplugin;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto id = model::parse_volume_id(text); id && id->name() != text) std::abort();
  if (const auto id = model::parse_snapshot_id(text); id && id->text() != text) std::abort();
  for (const auto bare : {model::BareNumber::refused, model::BareNumber::mebibytes})
    if (const auto parsed = model::parse_size(text, bare);
        parsed && *model::parse_size(model::format_size(*parsed), bare) != *parsed)
      std::abort();
  if (const auto parsed = model::parse_duration(text);
      parsed && *model::parse_duration(model::format_duration(*parsed)) != *parsed)
    std::abort();
  const auto cut = text.find('=');
  if (cut != text.npos)
    (void)model::parse_driver_options({{text.substr(0, cut), text.substr(cut + 1)}}).has_value();
  if (model::check_filesystem_command(text, "f") &&
      model::expand_filesystem_command(text, "/dev/loop0").find("/dev/loop0") == std::string::npos)
    std::abort();
  return 0;
}
