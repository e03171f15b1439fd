// SPDX-License-Identifier: Apache-2.0
// LvmTool: the lvm commands, the only place that starts them. Changes of one volume group run one after
// the other (LVM would serialise them itself, spending a waiting process on each); reports run at any time.
// Thread-safe. Every function blocks until the command ends or the Op does.
#pragma once

#include "backend/lvm/lvm_names.h"
#include "backend/lvm/lvm_report.h"
#include "base/keyed_queue.h"
#include "base/op.h"
#include "os/process.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::backend {

// The exact command lines. -y: every question (a signature found in the new volume) is answered, whatever
// lvm.conf says; -Wy: such signatures are wiped.
namespace lvm_argv {
using Argv = std::vector<std::string>;
Argv create(const LvmPool& pool, const std::string& volume, Bytes size, const std::vector<std::string>& tags);
Argv remove(const std::string& group, const std::string& volume);
Argv activate(const std::string& group, const std::string& volume);
// All volumes of a group that are no parts of others, or the one of that name.
Argv report_volumes(const std::string& group, const std::string& volume);
// All groups, or the one of that name. An unknown name gives an empty report.
Argv report_groups(const std::string& group);
}  // namespace lvm_argv

class LvmTool {
 public:
  using Runner = std::function<Result<os::Outcome>(const Op&, const os::Command&)>;
  explicit LvmTool(Runner runner = os::run) : runner_(std::move(runner)) {}

  // What the command said; a refusal is an outcome, not an error.
  Result<os::Outcome> create(const Op& op, const LvmPool& pool, const std::string& volume, Bytes size,
                             const std::vector<std::string>& tags);
  Result<os::Outcome> remove(const Op& op, const std::string& group, const std::string& volume);
  Result<os::Outcome> activate(const Op& op, const std::string& group, const std::string& volume);

  // Errors: not_found (no such group), unavailable with LVM's text, corrupt.
  Result<std::vector<LvmVolume>> volumes(const Op& op, const std::string& group);
  // nullopt: no such volume in the group.
  Result<std::optional<LvmVolume>> volume(const Op& op, const std::string& group, const std::string& volume);
  Result<LvmGroup> group(const Op& op, const std::string& name);

 private:
  Result<os::Outcome> change(const Op& op, const std::string& group, lvm_argv::Argv argv);
  Result<os::Outcome> run(const Op& op, lvm_argv::Argv argv);
  Result<std::vector<LvmVolume>> report(const Op& op, const std::string& group, const std::string& volume);

  Runner runner_;
  KeyedQueue changes_;
};

}  // namespace volplugin::backend
