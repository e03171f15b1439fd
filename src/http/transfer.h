// SPDX-License-Identifier: Apache-2.0
// Transfer: one libcurl handle with its kept-alive connection; carries out one exchange at a time.
// Not thread-safe (Client hands each to one thread at a time).
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "http/address.h"
#include "http/client.h"

#include <memory>
#include <string>

#include <curl/curl.h>

namespace volplugin::http {

class Transfer {
 public:
  static Result<std::unique_ptr<Transfer>> open();

  // See Client::send(), and follow() with `following`. After an error the object is to be thrown away: its
  // connection is in an unknown state.
  Result<ClientResponse> run(const Op& op, const Address& address, const ClientRequest& request,
                             const Following* following = nullptr);

 private:
  struct Collected;
  struct EasyDeleter {
    void operator()(void* handle) const { curl_easy_cleanup(handle); }
  };
  struct MultiDeleter {
    void operator()(void* handle) const { curl_multi_cleanup(handle); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

  Transfer() = default;
  void configure(const Address& address, const ClientRequest& request, const HeaderList& headers,
                 Collected& collected);
  Result<> perform(const Op& op, const Address& address, const Collected& collected);
  bool anything_sent() const;
  Error translate(CURLcode code, const Address& address, const Collected& collected) const;

  std::unique_ptr<CURLM, MultiDeleter> multi_;  // declared first: ends after the easy handle
  std::unique_ptr<CURL, EasyDeleter> easy_;
};

}  // namespace volplugin::http
