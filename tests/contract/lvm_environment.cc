// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/lvm_environment.h"

#include "backend/lvm/lvm_backend.h"
#include "base/check.h"
#include "os/file.h"
#include "os/process.h"
#include "os/scratch.h"
#include "tests/contract/foreign_mount.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

namespace volplugin::backend {
namespace {

constexpr char kGroup[] = "pool";
constexpr char kOtherGroup[] = "another-pool";

void lvm(std::vector<std::string> argv) {
  const Op op(system_clock(), Millis(60'000), "test", "test");
  const std::string program = argv[0];
  const auto said = os::run(op, {.argv = std::move(argv), .package = "lvm2"});
  CHECK(said);
  if (!said->succeeded()) std::cerr << program << ": " << said->describe() << std::endl;
  CHECK(said->succeeded());
}

// The groups are made once, and emptied before every test.
class LvmGroups {
 public:
  static LvmGroups& instance() {
    static LvmGroups groups(std::getenv("VOLPLUGIN_TEST_DISKS"));
    return groups;
  }
  void empty(bool thin) {
    lvm({"lvremove", "-y", kGroup, kOtherGroup});
    if (thin) lvm({"lvcreate", "-y", "--type", "thin-pool", "-L", "400M", "-n", "thin", kGroup});
  }

 private:
  explicit LvmGroups(const std::string& disks) {
    const size_t comma = disks.find(',');
    CHECK(comma != disks.npos);
    lvm({"vgcreate", "-y", kGroup, disks.substr(0, comma)});
    lvm({"vgcreate", "-y", kOtherGroup, disks.substr(comma + 1)});
  }
};

class LvmEnvironment final : public BackendEnvironment {
 public:
  explicit LvmEnvironment(bool thin) : thin_(thin) {
    LvmGroups::instance().empty(thin);
    restart();
  }
  Backend& backend() override { return *backend_; }
  void restart() override { backend_ = std::make_unique<LvmBackend>(LvmConfig{}); }
  std::string pool() const override { return thin_ ? std::string(kGroup) + "/thin" : kGroup; }

  void put_foreign(const std::string& image) override {
    lvm({"lvcreate", "-y", "-Wy", "-L", "4M", "-n", image, kGroup});
    const os::FileDescriptor device = *os::open_file(path_of(image), O_WRONLY | O_SYNC);
    CHECK(::pwrite(device.get(), kForeign, sizeof kForeign, 0) == sizeof kForeign);
  }
  bool foreign_untouched(const std::string& image) override {
    const auto content = os::read_file(path_of(image), Bytes::mib(4));
    return content && content->starts_with(kForeign);
  }
  std::shared_ptr<void> use_elsewhere(const std::string& device) override {
    return mount_elsewhere(device, dir_ / "elsewhere");
  }
  bool holds_data() const override { return true; }
  bool zeroed() const override { return thin_; }
  bool overcommits() const override { return thin_; }
  bool pools_have_parts() const override { return true; }
  int affordable(int repetitions) const override { return std::max(2, repetitions / 10); }

 private:
  static constexpr char kForeign[] = "somebody's data";
  static std::string path_of(const std::string& image) { return fmt::format("/dev/{}/{}", kGroup, image); }

  bool thin_;
  os::ScratchDir dir_;
  std::unique_ptr<LvmBackend> backend_;
};

}  // namespace

std::vector<BackendCase> lvm_environments() {
  if (std::getenv("VOLPLUGIN_TEST_DISKS") == nullptr) return {};
  return {{"lvm_thick", [] { return std::make_unique<LvmEnvironment>(false); }},
          {"lvm_thin", [] { return std::make_unique<LvmEnvironment>(true); }}};
}

}  // namespace volplugin::backend
