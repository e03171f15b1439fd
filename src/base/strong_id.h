// SPDX-License-Identifier: Apache-2.0
// StrongId: a string of one kind that cannot be mixed up with another. Made only by the parse_
// function of its kind (which names itself as Maker), so holding one proves it was validated.
#pragma once

#include <compare>
#include <functional>
#include <string>

namespace volplugin {

template <class Tag>
class StrongId {
 public:
  // Only Tag::parse() calls this: Tag is declared a friend.
  const std::string& str() const { return value_; }
  auto operator<=>(const StrongId&) const = default;

 private:
  friend Tag;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  std::string value_;
};

}  // namespace volplugin

template <class Tag>
struct std::hash<volplugin::StrongId<Tag>> {
  size_t operator()(const volplugin::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.str());
  }
};
