// SPDX-License-Identifier: Apache-2.0
// The only place that starts programs. No shell, an environment from scratch, no inherited descriptor,
// own process group, capped output, and an end at the Op's deadline or, by TERM, with this process. Any
// thread, any number at once.
#pragma once

#include "base/bytes.h"
#include "base/op.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace volplugin::os {

struct Command {
  std::vector<std::string> argv;      // argv[0] is looked up in the fixed PATH
  std::string stdin_data;             // empty: stdin is /dev/null. Secrets go here, never on argv
  Bytes output_cap = Bytes::kib(64);  // for each of out and err; the rest is read and dropped
  std::string package;                // named when the program is missing, e.g. "e2fsprogs"
};

struct Outcome {
  int exit_code = 0;  // meaningful when signal is 0
  int signal = 0;     // the signal that ended it, or 0
  std::string out;
  std::string err;
  bool truncated = false;  // out or err was longer than the cap

  bool succeeded() const { return signal == 0 && exit_code == 0; }
  // "exit code 3: <last lines of err, or of out>": for error messages.
  std::string describe() const;
};

// Runs the program and waits for its end. Any exit code is an Outcome, not an error. A descendant that
// left the group and keeps the pipes open delays the return by 200 ms at most.
// Errors: not_found (no such program), deadline_exceeded or cancelled with effect unknown (the group got
// TERM, two seconds later KILL; it is gone on return unless the kernel cannot end it), or effect none
// when the deadline had passed before the start.
Result<Outcome> run(const Op& op, const Command& command);

}  // namespace volplugin::os
