// SPDX-License-Identifier: Apache-2.0
// volcli without a process around it: the words in, what is printed and the exit code out.
#pragma once

#include "cli/context.h"

#include <span>
#include <string>

namespace volplugin::cli {

// `args` without the program's name. Blocks until the command is done or its --timeout passed. Errors are
// printed to streams.err; returns the exit code (exit_code.h).
int run(std::span<const std::string> args, Streams& streams, const Connect& connect);

}  // namespace volplugin::cli
