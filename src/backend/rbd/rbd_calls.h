// SPDX-License-Identifier: Apache-2.0
// How RbdBackend's calls run: one at a time for an image, on the threads of Calls, with copies of all they
// use.
#pragma once

#include "backend/rbd/rbd_backend.h"

namespace volplugin::backend {

// `body` (op, key) on another thread. It keeps the image's turn until it ends, also when the caller went.
template <class Body>
auto RbdBackend::run(const Op& op, const ImageKey& key, std::string_view what, Body body) {
  using Outcome = std::invoke_result_t<Body, const Op&, const ImageKey&>;
  const auto begin = [&]() -> Outcome {
    TRY(check_key(key));
    TRY_CTX(op.check(what), "image '{}'", name_of(key));
    return calls_.run_in_turn(op, name_of(key), what, [op, key, body = std::move(body)]() mutable -> Outcome {
      return body(op, key);
    });
  };
  return begin();
}

// The same, with a connection to the cluster.
template <class Body>
auto RbdBackend::run_connected(const Op& op, const ImageKey& key, std::string_view what, Body body) {
  using Outcome = std::invoke_result_t<Body, const Work&>;
  return run(op, key, what,
             [this, body = std::move(body)](const Op& its_op, const ImageKey& image) mutable -> Outcome {
               const auto ceph = TRY(links_->to(image.pool));
               return body(Work{its_op, image, *ceph});
             });
}

}  // namespace volplugin::backend
