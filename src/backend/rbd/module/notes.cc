// SPDX-License-Identifier: Apache-2.0
// Notes: the omap of one object in each pool.
#include "backend/rbd/module/connection.h"

#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace volplugin::backend {
namespace {

constexpr char kObject[] = "volplugin_notes";
constexpr std::uint64_t kPage = 1024;

struct ReleaseRead {
  void operator()(rados_read_op_t operation) const { rados_release_read_op(operation); }
};
struct ReleaseWrite {
  void operator()(rados_write_op_t operation) const { rados_release_write_op(operation); }
};
struct ReleasePage {
  void operator()(rados_omap_iter_t page) const { rados_omap_get_end(page); }
};
using NotesPage = std::unique_ptr<std::remove_pointer_t<rados_omap_iter_t>, ReleasePage>;
using ReadOperation = std::unique_ptr<std::remove_pointer_t<rados_read_op_t>, ReleaseRead>;
using WriteOperation = std::unique_ptr<std::remove_pointer_t<rados_write_op_t>, ReleaseWrite>;

}  // namespace

Result<int> LibrbdConnection::operate(const PoolHandle& pool, rados_write_op_t operation) {
  const int failed = rados_write_op_operate2(operation, pool.get(), kObject, nullptr, 0);
  if (failed < 0 && failed != -ECANCELED && failed != -ENOENT)
    return failure(failed, fmt::format("writing object '{}'", kObject), Effect::unknown);
  return failed;
}

Result<Notes> LibrbdConnection::notes(const std::string& pool, const std::string& prefix) {
  const auto handle = TRY(pool_of(pool));
  Notes found;
  for (std::string after;;) {
    const ReadOperation operation(rados_create_read_op());
    rados_omap_iter_t page = nullptr;
    unsigned char more = 0;
    int status = 0;
    rados_read_op_omap_get_vals2(operation.get(), after.c_str(), prefix.c_str(), kPage, &page, &more,
                                 &status);
    const int failed = rados_read_op_operate(operation.get(), handle.get(), kObject, 0);
    const NotesPage read(page);  // there is one also when nothing could be read
    if (failed == -ENOENT) return found;
    if (failed < 0) return failure(failed, fmt::format("reading object '{}/{}'", pool, kObject));
    for (;;) {
      char *name = nullptr, *value = nullptr;
      size_t name_length = 0, value_length = 0;
      if (rados_omap_get_next2(page, &name, &value, &name_length, &value_length) < 0 || name == nullptr)
        break;
      after.assign(name, name_length);
      found.emplace(after, std::string(value, value_length));
    }
    if (more == 0) return found;
  }
}

Result<bool> LibrbdConnection::replace_note(const std::string& pool, const std::string& name,
                                            const std::string& expected, const std::string& value) {
  const auto handle = TRY(pool_of(pool));
  for (;;) {
    const WriteOperation operation(rados_create_write_op());
    int status = 0;
    // An absent value counts as empty.
    rados_write_op_omap_cmp2(operation.get(), name.data(), LIBRADOS_CMPXATTR_OP_EQ, expected.data(),
                             name.size(), expected.size(), &status);
    const char *names = name.data(), *values = value.data();
    const size_t name_length = name.size(), value_length = value.size();
    rados_write_op_omap_set2(operation.get(), &names, &values, &name_length, &value_length, 1);
    const int failed = TRY(operate(handle, operation.get()));
    if (failed != -ENOENT) return failed == 0;
    if (!expected.empty()) return false;
    const WriteOperation make(rados_create_write_op());
    rados_write_op_create(make.get(), LIBRADOS_CREATE_IDEMPOTENT, nullptr);
    TRY(operate(handle, make.get()));
  }
}

Result<> LibrbdConnection::erase_notes(const std::string& pool, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const auto handle = TRY(pool_of(pool));
  const WriteOperation operation(rados_create_write_op());
  std::vector<const char*> keys;
  std::vector<size_t> lengths;
  for (const auto& name : names) {
    keys.push_back(name.data());
    lengths.push_back(name.size());
  }
  rados_write_op_assert_exists(operation.get());
  rados_write_op_omap_rm_keys2(operation.get(), keys.data(), lengths.data(), names.size());
  TRY(operate(handle, operation.get()));
  return {};
}

}  // namespace volplugin::backend
