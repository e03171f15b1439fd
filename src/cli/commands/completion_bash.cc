// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/completion.h"

namespace volplugin::cli {

Result<> completion_bash(Context& context) {
  context.print(bash_completion_script());
  return {};
}

}  // namespace volplugin::cli
