// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/driver_options.h"

#include "model/names.h"
#include "model/options.h"

namespace volplugin::cli {

Result<std::map<std::string, std::string>> read_driver_options(const Line& line) {
  std::map<std::string, std::string> options;
  const auto given = line.flags.find("opt");
  if (given == line.flags.end()) return options;
  for (const std::string& text : given->second) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0)
      return make_error(Code::invalid_argument,
                        fmt::format("--opt '{}' is not of the form key=value", model::printable(text)));
    const std::string key = text.substr(0, equals);
    if (!options.try_emplace(key, text.substr(equals + 1)).second)
      return make_error(Code::invalid_argument,
                        fmt::format("--opt '{}' is given more than once", model::printable(key)));
  }
  // Checked here too, so that a typing error is found without a volmaster.
  TRY(model::parse_driver_options(options));
  return options;
}

}  // namespace volplugin::cli
