// SPDX-License-Identifier: Apache-2.0
#include "model/size.h"

#include "model/names.h"

#include <array>
#include <charconv>

namespace volplugin::model {
namespace {

struct Unit {
  std::string_view letter;
  unsigned shift;
};
constexpr std::array<Unit, 5> kUnits{{{"b", 0}, {"k", 10}, {"m", 20}, {"g", 30}, {"t", 40}}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

Error refuse(std::string_view text, std::string_view why) {
  return make_error(
      Code::invalid_argument,
      fmt::format("size '{}' {}: write a positive whole number and a unit, one of B KB MB GB TB "
                  "(base 1024), for example 10GB",
                  printable(text), why));
}

Result<unsigned> shift_of(std::string_view text, std::string_view unit, BareNumber bare) {
  if (unit.empty()) {
    if (bare == BareNumber::mebibytes) return 20U;
    return refuse(text, "has no unit");
  }
  const std::string word = lower(unit);
  for (const auto& known : kUnits) {
    const std::string letter(known.letter);
    if (word == letter) return known.shift;
    if (known.shift != 0 && (word == letter + "b" || word == letter + "ib")) return known.shift;
  }
  return refuse(text, fmt::format("has the unknown unit '{}'", printable(unit)));
}

}  // namespace

Result<Bytes> parse_size(std::string_view text, BareNumber bare) {
  if (text.empty()) return refuse(text, "is empty");
  if (text.front() == '-' || text.front() == '+') return refuse(text, "has a sign");
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status == std::errc::result_out_of_range) return refuse(text, "is too large");
  if (status != std::errc{}) return refuse(text, "does not start with a number");
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit.starts_with('.') || unit.starts_with(',')) return refuse(text, "is not a whole number");
  if (unit.starts_with(' ') && unit.size() > 1) unit.remove_prefix(1);
  const unsigned shift = TRY(shift_of(text, unit, bare));
  if (number == 0) return refuse(text, "is zero");
  if (number > (kMaxSize.count >> shift)) return refuse(text, "is too large");
  return Bytes{number << shift};
}

std::string format_size(Bytes size) {
  constexpr std::array<std::string_view, 5> kNames{"B", "KB", "MB", "GB", "TB"};
  size_t index = 0;
  std::uint64_t number = size.count;
  while (index + 1 < kNames.size() && number != 0 && number % 1024 == 0) {
    number /= 1024;
    ++index;
  }
  return fmt::format("{}{}", number, kNames[index]);
}

}  // namespace volplugin::model
