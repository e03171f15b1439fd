// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. TRY unwraps or returns the error; TRY_CTX adds context first.
//   Bytes size = TRY(parse_size(text));
//   TRY_CTX(attach(op, key), "attaching volume '{}'", id);
#pragma once

#include <fmt/format.h>

#include <expected>
#include <utility>

#include "base/error.h"

namespace volplugin {

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  // NOLINTNEXTLINE(google-explicit-constructor): `return error;` is the point of the type
  Result(Error error) : std::expected<T, Error>(std::unexpected<Error>(std::move(error))) {}
};

namespace detail {
template <class T>
T unwrap(Result<T>&& result) {
  return std::move(*result);
}
inline void unwrap(Result<void>&&) {}
}  // namespace detail

}  // namespace volplugin

#define TRY(expression)                                                \
  ({                                                                   \
    auto try_result_ = (expression);                                   \
    if (!try_result_) return std::move(try_result_).error();           \
    ::volplugin::detail::unwrap(std::move(try_result_));               \
  })

#define TRY_CTX(expression, ...)                                                             \
  ({                                                                                         \
    auto try_result_ = (expression);                                                         \
    if (!try_result_) return std::move(try_result_.error()).with_context(fmt::format(__VA_ARGS__)); \
    ::volplugin::detail::unwrap(std::move(try_result_));                                     \
  })
