// SPDX-License-Identifier: Apache-2.0
// The scan of stores whose pages cost what they hold.
#include "kv/store.h"

namespace volplugin::kv {
namespace {

class PageByPage final : public Scan {
 public:
  PageByPage(Store& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}

  Result<Page> next(const Op& op) override {
    Page page = TRY(store_.list(op, prefix_, after_, Store::kMaxPage));
    if (!page.entries.empty()) after_ = page.entries.back().key;
    return page;
  }

 private:
  Store& store_;
  const std::string prefix_;
  std::string after_;
};

}  // namespace

std::unique_ptr<Scan> Store::scan(const std::string& prefix) {
  return std::make_unique<PageByPage>(*this, prefix);
}

}  // namespace volplugin::kv
