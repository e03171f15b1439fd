// SPDX-License-Identifier: Apache-2.0
#include "daemon/stores.h"
#include "kv/sqlite/sqlite_store.h"

namespace volplugin::daemon {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

Result<std::unique_ptr<kv::Store>> open_sqlite(const std::string& spec, const Clock& clock) {
  if (!spec.starts_with(kSqlite) || spec.size() == kSqlite.size())
    return make_error(Code::invalid_argument,
                      fmt::format("--store: '{}' is not of the form sqlite:PATH", spec));
  return TRY_CTX(kv::SqliteStore::open(spec.substr(kSqlite.size()), clock), "opening the store");
}

}  // namespace

StoreSource sqlite_source(std::string spec) {
  return {.open = [spec = std::move(spec)](const Clock& clock) { return open_sqlite(spec, clock); }};
}

}  // namespace volplugin::daemon
