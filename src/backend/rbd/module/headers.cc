// SPDX-License-Identifier: Apache-2.0
// What the objects of an image tell without opening it. Their names are part of the format that librbd and
// Linux share (rbd_types.h in both).
#include "backend/rbd/encoded_id.h"
#include "backend/rbd/module/connection.h"

#include <cerrno>
#include <list>

#include <fmt/format.h>
#include <rados/librados.hpp>

namespace volplugin::backend {
namespace {

constexpr char kIdObject[] = "rbd_id.", kHeaderObject[] = "rbd_header.";
constexpr char kOldHeader[] = ".rbd";

librados::IoCtx in_cpp(const PoolHandle& pool) {
  librados::IoCtx context;
  librados::IoCtx::from_rados_ioctx_t(pool.get(), context);
  return context;
}

}  // namespace

Error old_format(const std::string& pool, const std::string& image) {
  return make_error(
      Code::unsupported,
      fmt::format("image '{0}/{1}' has the old format 1: copy it (rbd cp {0}/{1} {0}/{1}.new), and rename "
                  "the copy to '{1}'",
                  pool, image));
}

Result<std::optional<std::string>> LibrbdConnection::image_id(const std::string& pool,
                                                              const std::string& image) {
  const auto handle = TRY(pool_of(pool));
  const auto what = [&] { return fmt::format("looking for image '{}/{}'", pool, image); };
  librados::bufferlist nothing, answer;
  int failed = in_cpp(handle).exec(kIdObject + image, "rbd", "get_id", nothing, answer);
  if (failed == -ENOENT) {
    failed = rados_stat(handle.get(), (image + kOldHeader).c_str(), nullptr, nullptr);
    if (failed == -ENOENT) return std::optional<std::string>();
    if (failed >= 0) return old_format(pool, image);
  }
  if (failed < 0) return failure(failed, what());
  auto id = decode_image_id(answer.to_str());
  if (!id) return make_error(Code::corrupt, what() + ": its id cannot be read");
  // One that was cut short while it was made or removed has a name, and cannot be opened.
  failed = rados_stat(handle.get(), (kHeaderObject + *id).c_str(), nullptr, nullptr);
  if (failed == -ENOENT) return std::optional<std::string>();
  if (failed < 0) return failure(failed, what());
  return id;
}

Result<std::vector<std::string>> LibrbdConnection::watchers(const std::string& pool, const std::string& id) {
  const auto handle = TRY(pool_of(pool));
  std::list<obj_watch_t> found;
  const int failed = in_cpp(handle).list_watchers(kHeaderObject + id, &found);
  std::vector<std::string> clients;
  if (failed == -ENOENT) return clients;
  if (failed < 0) return failure(failed, fmt::format("looking who has image {} of '{}' open", id, pool));
  for (const auto& watcher : found) clients.emplace_back(watcher.addr);
  return clients;
}

}  // namespace volplugin::backend
