// SPDX-License-Identifier: Apache-2.0
// One function per command, each in the file of its name. All of them write what was asked for to the
// output stream and return the error that run() prints and turns into an exit code.
#pragma once

#include "cli/context.h"

namespace volplugin::cli {

Result<> completion_bash(Context& context);
Result<> events(Context& context);
Result<> health(Context& context);
Result<> mount_force_remove(Context& context);
Result<> mount_get(Context& context);
Result<> mount_list(Context& context);
Result<> node_get(Context& context);
Result<> node_list(Context& context);
Result<> operation_get(Context& context);
Result<> operation_list(Context& context);
Result<> snapshot_get(Context& context);
Result<> snapshot_list(Context& context);
Result<> snapshot_list_all(Context& context);
Result<> snapshot_remove(Context& context);
Result<> snapshot_take(Context& context);
Result<> tenant_delete(Context& context);
Result<> tenant_get(Context& context);
Result<> tenant_list(Context& context);
Result<> tenant_upload(Context& context);
Result<> version(Context& context);
Result<> volume_adopt(Context& context);
Result<> volume_create(Context& context);
Result<> volume_force_remove(Context& context);
Result<> volume_get(Context& context);
Result<> volume_list(Context& context);
Result<> volume_list_all(Context& context);
Result<> volume_remove(Context& context);

// "volcli 0.1.0"; also what --version prints.
std::string version_line();

}  // namespace volplugin::cli
