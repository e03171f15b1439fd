// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include "http/address.h"
#include "http/transfer.h"

#include <mutex>

namespace volplugin::http {
namespace {

constexpr size_t kIdleTransfers = 8;

}  // namespace

std::string_view ClientResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

struct Client::State {
  std::string text;
  Address address;
  std::mutex mutex;
  std::vector<std::unique_ptr<Transfer>> idle;  // guarded by mutex

  Result<std::unique_ptr<Transfer>> borrow();
  void give_back(std::unique_ptr<Transfer> transfer);
};

Result<std::unique_ptr<Transfer>> Client::State::borrow() {
  {
    const std::lock_guard lock(mutex);
    if (!idle.empty()) {
      // The one used last: its connection is the most likely to be alive.
      std::unique_ptr<Transfer> transfer = std::move(idle.back());
      idle.pop_back();
      return transfer;
    }
  }
  return Transfer::open();
}

void Client::State::give_back(std::unique_ptr<Transfer> transfer) {
  const std::lock_guard lock(mutex);
  if (idle.size() < kIdleTransfers) idle.push_back(std::move(transfer));
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;

const std::string& Client::address() const {
  return state_->text;
}

Result<std::unique_ptr<Client>> Client::open(const std::string& address) {
  auto state = std::make_unique<State>();
  state->text = address;
  state->address = TRY(parse_address(address));
  return std::unique_ptr<Client>(new Client(std::move(state)));
}

Result<ClientResponse> Client::send(const Op& op, const ClientRequest& request) {
  std::unique_ptr<Transfer> transfer = TRY(state_->borrow());
  ClientResponse response = TRY(transfer->run(op, state_->address, request));
  state_->give_back(std::move(transfer));
  return response;
}

Result<ClientResponse> Client::follow(const Op& op, const ClientRequest& request,
                                      const Following& following) {
  // Its connection is of no use to anybody afterwards.
  return TRY(Transfer::open())->run(op, state_->address, request, &following);
}

}  // namespace volplugin::http
