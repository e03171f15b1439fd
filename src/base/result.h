// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. TRY unwraps or returns the error; TRY_CTX adds context first.
//   Bytes size = TRY(parse_size(text));
//   TRY_CTX(attach(op, key), "attaching volume '{}'", id);
#pragma once

#include "base/error.h"

#include <expected>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

namespace volplugin {

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
  static_assert(!std::is_same_v<T, Error>, "a Result of an Error would be read as a failure");

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

// Every expansion names its variable anew, so that one TRY may stand inside another.
#define VOLPLUGIN_CONCAT_(a, b) a##b
#define VOLPLUGIN_CONCAT(a, b) VOLPLUGIN_CONCAT_(a, b)

#define VOLPLUGIN_TRY(result, expression)           \
  ({                                                \
    auto result = (expression);                     \
    if (!result) return std::move(result).error();  \
    ::volplugin::detail::unwrap(std::move(result)); \
  })
#define TRY(expression) VOLPLUGIN_TRY(VOLPLUGIN_CONCAT(try_result_, __COUNTER__), expression)

#define VOLPLUGIN_TRY_CTX(result, expression, ...)                                        \
  ({                                                                                      \
    auto result = (expression);                                                           \
    if (!result) return std::move(result.error()).with_context(fmt::format(__VA_ARGS__)); \
    ::volplugin::detail::unwrap(std::move(result));                                       \
  })
#define TRY_CTX(expression, ...) \
  VOLPLUGIN_TRY_CTX(VOLPLUGIN_CONCAT(try_result_, __COUNTER__), expression, __VA_ARGS__)
