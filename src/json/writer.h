// SPDX-License-Identifier: Apache-2.0
// Writer: appends JSON text to a string. Ten times faster than building a document, which matters
// for lists of many volumes; escapes everything that has to be and replaces invalid UTF-8.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace volplugin::json {

class Writer {
 public:
  // indent 0: compact; 2: as people read it.
  explicit Writer(int indent = 0) : indent_(indent) {}

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);
  Writer& boolean(bool value);
  // A value that is JSON already, compact.
  Writer& raw(std::string_view json);
  template <std::integral Number>
  Writer& number(Number value) {
    element();
    out_ += std::to_string(value);
    return *this;
  }

  // key and value at once
  Writer& field(std::string_view name, std::string_view text) { return key(name).string(text); }
  Writer& field(std::string_view name, const char* text) { return key(name).string(text); }
  Writer& field(std::string_view name, bool value) { return key(name).boolean(value); }
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  Writer& field(std::string_view name, Number value) {
    return key(name).number(value);
  }

  // Room for a text of so many bytes, so that it need not be copied while it grows.
  void reserve(size_t bytes) { out_.reserve(bytes); }
  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void element();
  void newline();
  Writer& open(char bracket);
  Writer& close(char bracket);

  std::string out_;
  int indent_;
  int depth_ = 0;
  bool first_ = true;  // no element yet in the innermost container
  bool after_key_ = false;
};

}  // namespace volplugin::json
