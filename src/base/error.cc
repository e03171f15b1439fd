// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace volplugin {
namespace {

constexpr std::array<std::pair<Code, std::string_view>, 13> kWords{{
    {Code::invalid_argument, "invalid_argument"},
    {Code::not_found, "not_found"},
    {Code::already_exists, "already_exists"},
    {Code::conflict, "conflict"},
    {Code::busy, "busy"},
    {Code::unsupported, "unsupported"},
    {Code::permission_denied, "permission_denied"},
    {Code::resource_exhausted, "resource_exhausted"},
    {Code::unavailable, "unavailable"},
    {Code::deadline_exceeded, "deadline_exceeded"},
    {Code::cancelled, "cancelled"},
    {Code::corrupt, "corrupt"},
    {Code::internal, "internal"},
}};

Code code_of(int number) {
  switch (number) {
    case ENOENT:
      return Code::not_found;
    case EEXIST:
      return Code::already_exists;
    case EBUSY:
    case EAGAIN:
      return Code::busy;
    case EACCES:
    case EPERM:
      return Code::permission_denied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Code::resource_exhausted;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::unsupported;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::invalid_argument;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      return Code::unavailable;
    case ETIMEDOUT:
      return Code::deadline_exceeded;
    default:
      return Code::internal;
  }
}

}  // namespace

std::string_view to_string(Code code) {
  for (const auto& [value, word] : kWords)
    if (value == code) return word;
  return "internal";
}

Code code_from_string(std::string_view word) {
  for (const auto& [value, name] : kWords)
    if (name == word) return value;
  return Code::internal;
}

Error Error::with_context(std::string_view what) && {
  message = std::string(what) + ": " + message;
  return std::move(*this);
}

Error make_error(Code code, std::string message, Effect effect, std::source_location origin) {
  return Error{code, std::move(message), effect, origin};
}

Error errno_error(int number, std::string_view what, std::source_location origin) {
  std::array<char, 128> buffer{};
  const char* text = strerror_r(number, buffer.data(), buffer.size());
  return Error{code_of(number), std::string(what) + ": " + text, Effect::none, origin};
}

}  // namespace volplugin
