// SPDX-License-Identifier: Apache-2.0
#include "model/duration.h"

#include "model/names.h"

#include <array>
#include <cstdint>

namespace volplugin::model {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Longer names first where one is a prefix of another.
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"\xC2\xB5s", 1'000},  // micro sign, as Go prints it
                                      {"\xCE\xBCs", 1'000},  // Greek mu, as Go accepts it
                                      {"ms", 1'000'000},
                                      {"s", 1'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"h", 3'600'000'000'000}}};
constexpr std::int64_t kMax = INT64_MAX;

Error refuse(std::string_view text, std::string_view why) {
  return make_error(Code::invalid_argument,
                    fmt::format("duration '{}' {}: write numbers with units h, m, s, ms, us or ns, for "
                                "example 30m or 1h30m",
                                printable(text), why));
}

struct Number {
  std::int64_t whole = 0;
  std::int64_t fraction = 0;  // of `scale`
  std::int64_t scale = 1;
  bool digits = false;
  bool overflow = false;
};

Number take_number(std::string_view& rest) {
  Number number;
  const auto is_digit = [&] { return !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; };
  for (; is_digit(); rest.remove_prefix(1)) {
    number.digits = true;
    const int digit = rest.front() - '0';
    if (number.whole > (kMax - digit) / 10)
      number.overflow = true;
    else
      number.whole = number.whole * 10 + digit;
  }
  if (rest.empty() || rest.front() != '.') return number;
  for (rest.remove_prefix(1); is_digit(); rest.remove_prefix(1)) {
    number.digits = true;
    if (number.scale >= 1'000'000'000) continue;  // below a nanosecond of a second: dropped
    number.fraction = number.fraction * 10 + (rest.front() - '0');
    number.scale *= 10;
  }
  return number;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  if (text.empty()) return refuse(text, "is empty");
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.front() == '-' || text.front() == '+') return refuse(text, "has a sign");
  std::int64_t total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const Number number = take_number(rest);
    if (!number.digits) return refuse(text, "has a unit without a number");
    const Unit* unit = nullptr;
    for (const auto& known : kUnits)
      if (rest.starts_with(known.name) && (!unit || known.name.size() > unit->name.size())) unit = &known;
    if (!unit) return refuse(text, rest.empty() ? "has no unit" : "has an unknown unit");
    rest.remove_prefix(unit->name.size());
    const std::int64_t scale_part =
        static_cast<std::int64_t>(static_cast<__int128>(number.fraction) * unit->nanoseconds / number.scale);
    if (number.overflow || number.whole > (kMax - scale_part - total) / unit->nanoseconds)
      return refuse(text, "is too long");
    total += number.whole * unit->nanoseconds + scale_part;
  }
  return std::chrono::nanoseconds(total);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string out;
  for (const auto& unit : {kUnits[7], kUnits[6]}) {
    if (rest >= unit.nanoseconds) out += fmt::format("{}{}", rest / unit.nanoseconds, unit.name);
    rest %= unit.nanoseconds;
  }
  if (rest == 0) return out;
  for (const auto& unit : {kUnits[5], kUnits[4], kUnits[1], kUnits[0]}) {
    if (rest < unit.nanoseconds) continue;
    std::string fraction;
    if (rest % unit.nanoseconds != 0) {
      std::int64_t part = rest % unit.nanoseconds;
      fraction = ".";
      for (std::int64_t place = unit.nanoseconds / 10; part != 0; place /= 10) {
        fraction += static_cast<char>('0' + part / place);
        part %= place;
      }
    }
    return out + fmt::format("{}{}{}", rest / unit.nanoseconds, fraction, unit.name);
  }
  return out;
}

}  // namespace volplugin::model
