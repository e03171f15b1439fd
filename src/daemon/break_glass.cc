// SPDX-License-Identifier: Apache-2.0
#include "daemon/break_glass.h"

#include "control/control_plane.h"
#include "daemon/version.h"

namespace volplugin::daemon {
namespace {

class NoStorageWork final : public service::StorageWork {
 public:
  Result<service::Made> make(const Op&, const model::Volume&) override { return refused(); }
  Result<> remove(const Op&, const model::Volume&) override { return refused(); }

 private:
  static Error refused() {
    return make_error(Code::unsupported, "storage work needs a volmaster that runs; here are records only");
  }
};

// Destroyed from the last to the first.
struct BreakGlass {
  explicit BreakGlass(const Clock& clock) : tasks(clock) {}

  const executor::Backends backends;
  NoStorageWork work;
  control::TaskQueue tasks;
  std::unique_ptr<kv::Store> store;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<control::ControlPlane> control;
};

}  // namespace

Result<std::shared_ptr<service::Volmaster>> open_break_glass(const Op& op, const StoreSource& source,
                                                             const Clock& clock) {
  auto parts = std::make_shared<BreakGlass>(clock);
  parts->store = TRY(source.open(clock));
  parts->catalog = TRY(catalog::Catalog::open(op, *parts->store));
  parts->control = std::make_unique<control::ControlPlane>(
      control::Parts{*parts->catalog, parts->backends, parts->work, parts->tasks, clock},
      control::Settings{.defaults = {},
                        .local_node = {},
                        .version = kVersion,
                        .store = source.shown,
                        .alone = !source.is_shared,
                        .break_glass = true});
  return std::shared_ptr<service::Volmaster>(parts, parts->control.get());
}

}  // namespace volplugin::daemon
