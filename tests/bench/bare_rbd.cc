// SPDX-License-Identifier: Apache-2.0
#include "bare_rbd.h"

#include "require.h"

#include <rbd/features.h>

namespace volplugin::bench {
namespace {

constexpr std::uint64_t kSize = 10ULL << 30;
constexpr std::uint64_t kFeatures = RBD_FEATURE_LAYERING | RBD_FEATURE_EXCLUSIVE_LOCK |
                                    RBD_FEATURE_OBJECT_MAP | RBD_FEATURE_FAST_DIFF | RBD_FEATURE_DEEP_FLATTEN;
constexpr char kSnapshot[] = "s";
constexpr char kNotes[] = "bench_notes";
constexpr char kUid[] = "2c1f7e0a-95b4-4d3e-8a6f-0b7c1d2e3f40";

// Ceph's functions return the negative error.
void check(int result, const std::string& doing) {
  errno = -result;
  require(result >= 0, doing);
}

class OpenImage {
 public:
  OpenImage(rados_ioctx_t pool, const std::string& name) : name_(name) {
    check(::rbd_open(pool, name.c_str(), &image_, nullptr), "opening image " + name);
  }
  ~OpenImage() { check(::rbd_close(image_), "closing image " + name_); }
  OpenImage(const OpenImage&) = delete;
  OpenImage& operator=(const OpenImage&) = delete;
  rbd_image_t get() const { return image_; }

 private:
  const std::string name_;
  rbd_image_t image_ = nullptr;
};

}  // namespace

BareRbd::BareRbd(const CephPool& where) {
  check(::rados_create(&cluster_, where.user.c_str()), "librados");
  check(::rados_conf_read_file(cluster_, where.conf.c_str()), "reading " + where.conf);
  check(::rados_connect(cluster_), "connecting to Ceph with " + where.conf);
  check(::rados_ioctx_create(cluster_, where.pool.c_str(), &pool_), "pool " + where.pool);
}

BareRbd::~BareRbd() {
  ::rados_ioctx_destroy(pool_);
  ::rados_shutdown(cluster_);
}

void BareRbd::create(const std::string& image) {
  int order = 22;  // objects of 4 MiB, Ceph's default
  check(::rbd_create3(pool_, image.c_str(), kSize, kFeatures, &order, 0, 0), "creating image " + image);
}

void BareRbd::snapshot(const std::string& image) {
  const OpenImage open(pool_, image);
  check(::rbd_snap_create(open.get(), kSnapshot), "taking a snapshot of " + image);
}

void BareRbd::remove_snapshot(const std::string& image) {
  const OpenImage open(pool_, image);
  check(::rbd_snap_remove(open.get(), kSnapshot), "removing the snapshot of " + image);
}

void BareRbd::remove(const std::string& image) {
  check(::rbd_remove(pool_, image.c_str()), "removing image " + image);
}

void BareRbd::note_owner(const std::string& image) {
  rados_write_op_t operation = ::rados_create_write_op();
  const char *name = image.c_str(), *value = kUid;
  const size_t name_length = image.size(), value_length = sizeof kUid - 1;
  ::rados_write_op_omap_set2(operation, &name, &value, &name_length, &value_length, 1);
  check(::rados_write_op_operate(operation, pool_, kNotes, nullptr, 0), "noting whose " + image + " is");
  ::rados_release_write_op(operation);
}

void BareRbd::erase_note(const std::string& image) {
  rados_write_op_t operation = ::rados_create_write_op();
  const char* name = image.c_str();
  const size_t name_length = image.size();
  ::rados_write_op_omap_rm_keys2(operation, &name, &name_length, 1);
  check(::rados_write_op_operate(operation, pool_, kNotes, nullptr, 0), "erasing the note of " + image);
  ::rados_release_write_op(operation);
}

}  // namespace volplugin::bench
