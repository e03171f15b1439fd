// SPDX-License-Identifier: Apache-2.0
#include "client/masters.h"

#include <algorithm>
#include <ranges>

namespace volplugin::client {
namespace {

// No volmaster took care of the request. One that is told to end cancels what it has; what does not answer
// as a volmaster is none.
bool lost(const Op& op, const Error& error) {
  return error.code == Code::unavailable || error.code == Code::corrupt ||
         (error.code == Code::cancelled && !op.stop().stop_requested());
}

// What the volmasters said that did not take care of the request.
class Failures {
 public:
  void add(const std::string& address, const Error& error) {
    const bool named = error.message.find(address) != std::string::npos;
    texts_.push_back(named ? error.message : fmt::format("{}: {}", address, error.message));
    if (error.effect == Effect::unknown) effect_ = Effect::unknown;
    last_ = error;
  }
  // Of a request that ends with this, after all these.
  Error beside(Error error) const {
    if (effect_ == Effect::unknown) error.effect = effect_;
    return error;
  }
  Error all() const {
    if (texts_.size() == 1) return last_;
    return make_error(Code::unavailable,
                      fmt::format("no volmaster is available: {}", fmt::join(texts_, "; ")), effect_);
  }

 private:
  std::vector<std::string> texts_;
  Effect effect_ = Effect::none;
  Error last_;
};

}  // namespace

Masters::Masters(SignsOfLife::Clients clients, Patience patience) : clients_(std::move(clients)) {
  if (clients_.size() > 1) signs_ = std::make_unique<SignsOfLife>(clients_, patience);
}

Result<std::unique_ptr<Masters>> Masters::open(const std::vector<std::string>& addresses, Patience patience) {
  if (addresses.empty() || addresses.size() > kMost)
    return make_error(Code::invalid_argument,
                      fmt::format("{} addresses of volmasters: must be 1 to {}", addresses.size(), kMost));
  SignsOfLife::Clients clients;
  for (const auto& address : addresses) clients.push_back(TRY(http::Client::open(address)));
  return std::unique_ptr<Masters>(new Masters(std::move(clients), patience));
}

Result<> Masters::ask(const Op& op, Kind kind, const Attempt& attempt) {
  if (!signs_) return attempt(op, *clients_.front());
  const size_t first = preferred_;
  Failures failures;
  for (size_t i = 0; i < clients_.size(); ++i) {
    const size_t which = (first + i) % clients_.size();
    const auto answer = ask_one(op, kind, which, attempt);
    if (!answer && lost(op, answer.error())) {
      failures.add(clients_[which]->address(), answer.error());
      if (answer.error().effect == Effect::unknown && kind == Kind::once) break;
      continue;
    }
    const bool in_time = answer || op.check("");
    if (in_time) signs_->seen(which);
    if (in_time && i > 0) preferred_ = which;
    if (!answer) return failures.beside(answer.error());
    return {};
  }
  return failures.all();
}

Result<> Masters::ask_one(const Op& op, Kind kind, size_t which, const Attempt& attempt) {
  if (kind != Kind::read) TRY(signs_->check(op, which));
  const SignsOfLife::Call call(*signs_, which, op);
  auto answer = attempt(call.op(), *clients_[which]);
  if (!answer && call.given_up())
    answer = make_error(Code::unavailable, signs_->silence_of(which), answer.error().effect);
  if (!answer && kind == Kind::read) answer.error().effect = Effect::none;
  return answer;
}

}  // namespace volplugin::client
