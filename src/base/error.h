// SPDX-License-Identifier: Apache-2.0
// Error: what every fallible function returns when it fails. Callers branch on code and effect,
// never on the text. Value type; safe to move between threads.
#pragma once

#include <source_location>
#include <string>
#include <string_view>

namespace volplugin {

// Kinds of failure. One exhaustive mapping per protocol (REST status, Docker answer, exit code).
enum class Code {
  invalid_argument,    // the caller's input breaks a rule; repeating it cannot help
  not_found,           // the named thing does not exist
  already_exists,      // the named thing exists and differs from what was asked for
  conflict,            // a revision or a holder is not the expected one; read again
  busy,                // in use right now; later it may succeed
  unsupported,         // this build, kernel or backend cannot do it
  permission_denied,   // not allowed
  resource_exhausted,  // no space, no loop device, a limit was reached
  unavailable,         // a service cannot be reached; nothing is known to be wrong with the request
  deadline_exceeded,   // the Op's deadline passed
  cancelled,           // the Op was asked to stop
  corrupt,             // stored or returned data does not make sense
  internal,            // a defect in volplugin
};

// Whether something may have happened in spite of the error. Decides about retry and clean-up.
enum class Effect { none, unknown };

std::string_view to_string(Code code);
// Inverse of to_string; internal for an unknown word.
Code code_from_string(std::string_view word);

struct Error {
  Code code = Code::internal;
  std::string message;
  Effect effect = Effect::none;
  std::source_location origin = std::source_location::current();

  // The same error with `what: ` in front of the message.
  Error with_context(std::string_view what) &&;
};

// Builds an error at the caller's place. `message` is lower case, names the value, says what to do.
Error make_error(Code code, std::string message, Effect effect = Effect::none,
                 std::source_location origin = std::source_location::current());

// Translates an errno value: "opening '/x': No such file or directory".
Error errno_error(int number, std::string_view what,
                  std::source_location origin = std::source_location::current());

}  // namespace volplugin
