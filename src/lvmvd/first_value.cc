// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/first_value.h"

#include "json/reader.h"

namespace volplugin::lvmvd {
namespace {

// A byte as Go shows it: in single quotes, those above ASCII as the character of that number.
std::string quoted(unsigned char c) {
  switch (c) {
    case '\'':
      return R"('\'')";
    case '"':
      return R"('"')";
    case '\\':
      return R"('\\')";
    case '\a':
      return R"('\a')";
    case '\b':
      return R"('\b')";
    case '\f':
      return R"('\f')";
    case '\n':
      return R"('\n')";
    case '\r':
      return R"('\r')";
    case '\t':
      return R"('\t')";
    case '\v':
      return R"('\v')";
    default:
      break;
  }
  if (c < 0x20 || c == 0x7f) return fmt::format("'\\x{:02x}'", c);
  if (c < 0x7f) return fmt::format("'{}'", static_cast<char>(c));
  // No-break space and soft hyphen do not print.
  if (c <= 0xa0 || c == 0xad) return fmt::format("'\\u00{:02x}'", c);
  const std::string character{static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
  return "'" + character + "'";
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void skip_blanks() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n')) ++at_;
  }
  bool at_end() const { return at_ == text_.size(); }
  size_t position() const { return at_; }
  Result<> value(int depth);

 private:
  char peek() const { return text_[at_]; }
  bool is(char c) const { return !at_end() && peek() == c; }
  bool is_digit() const { return !at_end() && peek() >= '0' && peek() <= '9'; }
  bool take(char c) {
    if (!is(c)) return false;
    ++at_;
    return true;
  }
  // What stands here is wrong: a character, or the end of the text.
  Error wrong(std::string_view where) const;
  Result<> object(int depth);
  Result<> array(int depth);
  Result<> string();
  Result<> escape();
  Result<> number();
  Result<> digits(std::string_view where);
  Result<> literal(std::string_view word);

  std::string_view text_;
  size_t at_ = 0;
};

Error Scanner::wrong(std::string_view where) const {
  if (at_end()) return make_error(Code::invalid_argument, "unexpected EOF");
  return make_error(Code::invalid_argument, fmt::format("invalid character {} {}",
                                                        quoted(static_cast<unsigned char>(peek())), where));
}

Result<> Scanner::value(int depth) {
  skip_blanks();
  if (is('{') || is('[')) {
    if (depth == json::kMaxDepth)
      return make_error(Code::invalid_argument,
                        fmt::format("the request is nested deeper than {} levels", json::kMaxDepth));
    return is('{') ? object(depth + 1) : array(depth + 1);
  }
  if (is('"')) return string();
  if (is('-') || is_digit()) return number();
  for (const std::string_view word : {"true", "false", "null"})
    if (is(word.front())) return literal(word);
  return wrong("looking for beginning of value");
}

Result<> Scanner::object(int depth) {
  take('{');
  skip_blanks();
  if (take('}')) return {};
  for (;;) {
    skip_blanks();
    if (!is('"')) return wrong("looking for beginning of object key string");
    TRY(string());
    skip_blanks();
    if (!take(':')) return wrong("after object key");
    TRY(value(depth));
    skip_blanks();
    if (take('}')) return {};
    if (!take(',')) return wrong("after object key:value pair");
  }
}

Result<> Scanner::array(int depth) {
  take('[');
  skip_blanks();
  if (take(']')) return {};
  for (;;) {
    TRY(value(depth));
    skip_blanks();
    if (take(']')) return {};
    if (!take(',')) return wrong("after array element");
  }
}

Result<> Scanner::string() {
  take('"');
  while (!take('"')) {
    if (at_end() || static_cast<unsigned char>(peek()) < 0x20) return wrong("in string literal");
    if (take('\\'))
      TRY(escape());
    else
      ++at_;
  }
  return {};
}

Result<> Scanner::escape() {
  constexpr std::string_view kEscapes = "bfnrt\\/\"";
  constexpr std::string_view kHex = "0123456789abcdefABCDEF";
  if (!at_end() && kEscapes.contains(peek())) {
    ++at_;
    return {};
  }
  if (!take('u')) return wrong("in string escape code");
  for (int i = 0; i < 4; ++i, ++at_)
    if (at_end() || !kHex.contains(peek())) return wrong("in \\u hexadecimal character escape");
  return {};
}

Result<> Scanner::number() {
  take('-');
  if (!take('0')) TRY(digits("in numeric literal"));
  if (take('.')) TRY(digits("after decimal point in numeric literal"));
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    TRY(digits("in exponent of numeric literal"));
  }
  return {};
}

Result<> Scanner::digits(std::string_view where) {
  if (!is_digit()) return wrong(where);
  while (is_digit()) ++at_;
  return {};
}

Result<> Scanner::literal(std::string_view word) {
  for (const char expected : word)
    if (!take(expected)) return wrong(fmt::format("in literal {} (expecting '{}')", word, expected));
  return {};
}

}  // namespace

Result<std::string_view> first_json_value(std::string_view text) {
  Scanner scanner(text);
  scanner.skip_blanks();
  if (scanner.at_end()) return make_error(Code::invalid_argument, "EOF");
  const size_t start = scanner.position();
  TRY(scanner.value(0));
  return text.substr(start, scanner.position() - start);
}

}  // namespace volplugin::lvmvd
