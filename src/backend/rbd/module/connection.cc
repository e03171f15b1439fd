// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/module/connection.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace volplugin::backend {
namespace {

constexpr int kBlocklisted = ESHUTDOWN;  // what Ceph answers to a client that is shut out

Error not_connected(int failed, const CephSettings& settings) {
  Error error = ceph_error(
      failed, fmt::format("connecting to the Ceph cluster of {} as client.{}", settings.conf, settings.user));
  if (failed == -ENOENT || failed == -EINVAL || failed == -EACCES)
    error.message += fmt::format("; is there a keyring for client.{}{}, with the key that the cluster has?",
                                 settings.user, settings.keyring.empty() ? "" : " in " + settings.keyring);
  // Another user or another file may do; the same request to the same cluster may later.
  error.code = Code::unavailable;
  return error;
}

}  // namespace

Error ceph_error(int failed, std::string_view what, Effect effect) {
  Error error = errno_error(-failed, what);
  error.effect = effect;
  if (failed == -ETIMEDOUT) {
    error.code = Code::unavailable;
    error.message = fmt::format("{}: the Ceph cluster does not answer", what);
  } else if (failed == -kBlocklisted) {
    error.code = Code::unavailable;
    error.message = fmt::format("{}: the Ceph cluster has shut this client out (blocklisted)", what);
  } else if (failed == -EDQUOT || failed == -ENOSPC) {
    error.message =
        fmt::format("{}: the pool is full{}", what, failed == -EDQUOT ? ", its quota is reached" : "");
  } else if (failed == -EROFS) {
    error.code = Code::busy;
    error.message = fmt::format("{}: another client has the image's lock", what);
  } else if (error.code == Code::internal || error.code == Code::deadline_exceeded) {
    error.code = Code::unavailable;
  }
  return error;
}

Result<std::unique_ptr<CephConnection>> LibrbdConnection::open(const CephSettings& settings) {
  rados_t cluster = nullptr;
  if (const int failed = rados_create2(&cluster, "ceph", ("client." + settings.user).c_str(), 0); failed < 0)
    return not_connected(failed, settings);
  std::unique_ptr<LibrbdConnection> connection(new LibrbdConnection(cluster));
  if (const int failed = rados_conf_read_file(cluster, settings.conf.c_str()); failed < 0)
    return ceph_error(failed, fmt::format("reading {}", settings.conf));
  const auto seconds = [](Millis time) { return std::to_string(time.count() / 1000); };
  const std::array<std::pair<const char*, std::string>, 8> values{{
      {"keyring", settings.keyring},
      {"client_mount_timeout", seconds(kCephConnectTimeout)},
      {"rados_osd_op_timeout", seconds(kCephCallTimeout)},
      {"rados_mon_op_timeout", seconds(kCephCallTimeout)},
      // Whose lock is broken has been blocklisted before, for longer than this would.
      {"rbd_blocklist_on_break_lock", "false"},
      {"rbd_cache", "false"},
      // Several processes of one host must not fight for one socket or file.
      {"admin_socket", ""},
      {"log_file", ""},
  }};
  for (const auto& [name, value] : values) {
    if (value.empty() && std::string_view(name) == "keyring") continue;
    if (const int failed = rados_conf_set(cluster, name, value.c_str()); failed < 0)
      return ceph_error(failed, fmt::format("setting {}", name));
  }
  if (const int failed = rados_connect(cluster); failed < 0) return not_connected(failed, settings);
  return std::unique_ptr<CephConnection>(std::move(connection));
}

LibrbdConnection::~LibrbdConnection() {
  rados_shutdown(cluster_);
}

Error LibrbdConnection::failure(int failed, std::string_view what, Effect effect) {
  if (failed == -kBlocklisted) usable_ = false;
  return ceph_error(failed, what, effect);
}

Result<PoolHandle> LibrbdConnection::pool_of(const std::string& pool) {
  rados_ioctx_t context = nullptr;
  const int failed = rados_ioctx_create(cluster_, pool.c_str(), &context);
  if (failed == -ENOENT)
    return make_error(Code::not_found, fmt::format("pool '{}' does not exist in the Ceph cluster", pool));
  if (failed < 0) return failure(failed, fmt::format("opening pool '{}'", pool));
  // What takes space in a full pool fails then and does not wait, and what takes none still works: removing.
  rados_set_pool_full_try(context);
  return PoolHandle(context);
}

Result<> LibrbdConnection::check_pool(const std::string& pool) {
  TRY(pool_of(pool));
  return {};
}

Result<std::optional<ImageHandle>> LibrbdConnection::open_image(const std::string& pool,
                                                                const std::string& image, Access access) {
  auto handle = TRY(pool_of(pool));
  rbd_image_t opened = nullptr;
  // Read-only: no watch, so nobody sees the image as being in use.
  const int failed = access == Access::read_only
                         ? rbd_open_read_only(handle.get(), image.c_str(), &opened, nullptr)
                         : rbd_open(handle.get(), image.c_str(), &opened, nullptr);
  if (failed == -ENOENT) return std::optional<ImageHandle>();
  if (failed < 0) return failure(failed, fmt::format("opening image '{}/{}'", pool, image));
  return std::optional<ImageHandle>(ImageHandle(std::move(handle), opened));
}

Result<ImageHandle> LibrbdConnection::need_image(const std::string& pool, const std::string& image,
                                                 Access access) {
  auto opened = TRY(open_image(pool, image, access));
  if (!opened) return make_error(Code::not_found, fmt::format("image '{}/{}' does not exist", pool, image));
  return std::move(*opened);
}

Result<std::string> LibrbdConnection::monitor_command(const std::string& json) {
  const char* command = json.c_str();
  char* said = nullptr;
  char* why = nullptr;
  size_t said_length = 0, why_length = 0;
  const int failed =
      rados_mon_command(cluster_, &command, 1, nullptr, 0, &said, &said_length, &why, &why_length);
  const std::string answer(said, said_length), reason(why, why_length);
  rados_buffer_free(said);
  rados_buffer_free(why);
  if (failed < 0)
    return failure(failed, fmt::format("asking the Ceph monitors{}{}", reason.empty() ? "" : ": ", reason),
                   Effect::unknown);
  return answer;
}

}  // namespace volplugin::backend

extern "C" __attribute__((visibility("default"))) void volplugin_open_ceph_connection(
    const volplugin::backend::CephSettings& settings,
    volplugin::Result<std::unique_ptr<volplugin::backend::CephConnection>>& opened) {
  opened = volplugin::backend::LibrbdConnection::open(settings);
}
