// SPDX-License-Identifier: Apache-2.0
#include "daemon/stores.h"
#include "kv/etcd/etcd_store.h"

#include <cerrno>
#include <fstream>

namespace volplugin::daemon {
namespace {

// The first line.
Result<std::string> read_password(const std::string& path) {
  std::ifstream file(path);
  std::string password;
  if (!file) return errno_error(errno, fmt::format("opening '{}'", path));
  std::getline(file, password);
  if (password.empty())
    return make_error(Code::invalid_argument, fmt::format("the first line of '{}' is empty", path));
  return password;
}

Result<std::unique_ptr<kv::Store>> open_etcd(kv::EtcdSettings settings, const std::string& password_file,
                                             const Clock& clock) {
  if (!password_file.empty())
    settings.password = TRY_CTX(read_password(password_file), "--etcd-password-file");
  return TRY_CTX(kv::EtcdStore::open(settings, clock), "--etcd");
}

}  // namespace

StoreSource etcd_source(kv::EtcdSettings settings, std::string password_file) {
  return {"etcd", true,
          [settings = std::move(settings), password_file = std::move(password_file)](const Clock& clock) {
            return open_etcd(settings, password_file, clock);
          }};
}

}  // namespace volplugin::daemon
