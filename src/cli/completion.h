// SPDX-License-Identifier: Apache-2.0
// Completion of command lines. The script that bash loads asks `volcli __complete WORDS...` for the
// candidates, so that only the program knows commands and names.
#pragma once

#include "cli/context.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::cli {

// packaging/completion/volcli.bash.
std::string_view bash_completion_script();

// Instead of candidates: complete names of files.
inline constexpr std::string_view kCompleteFiles = ":files";

// What the last of `words` (those after "volcli") can become. Candidates that end with '/' or '=' are
// continued in the same word. Asks volmaster for names, two seconds at most; no candidates on any error.
std::vector<std::string> complete(std::span<const std::string> words, const Connect& connect);

}  // namespace volplugin::cli
