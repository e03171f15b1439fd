// SPDX-License-Identifier: Apache-2.0
// The three ways to print a list: an aligned table, a JSON array, or names one per line. Pure.
#pragma once

#include "wire/records.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::cli {

enum class Format { table, json, name };

using Row = std::vector<std::string>;

// Left-aligned columns, two blanks apart, no blanks at the end of a line. Every row has as many cells
// as `header`; an empty cell shows as "-".
std::string format_table(const Row& header, std::span<const Row> rows);
std::string format_names(std::span<const std::string> names);

// How records of one kind are shown.
template <class T>
struct View {
  Row header;
  Row (*cells)(const T&);
  std::string (*name)(const T&);
};

// JSON with an indent of two and a newline at the end, as `get` prints one record.
template <class T>
std::string format_json(const T& value, std::uint64_t revision) {
  json::Writer writer(2);
  wire::write(writer, value, revision);
  return writer.take() + "\n";
}

template <class T>
void write_item(json::Writer& writer, const model::Record<T>& record) {
  wire::write(writer, record->value, record->revision);
}
inline void write_item(json::Writer& writer, const model::Operation& operation) {
  wire::write(writer, operation);
}
template <class T>
const T& item_value(const model::Record<T>& record) {
  return record->value;
}
inline const model::Operation& item_value(const model::Operation& operation) {
  return operation;
}

template <class Item, class T>
std::string format_list(const std::vector<Item>& items, const View<T>& view, Format format) {
  switch (format) {
    case Format::json: {
      json::Writer writer(2);
      writer.begin_array();
      for (const Item& item : items) write_item(writer, item);
      writer.end_array();
      return writer.take() + "\n";
    }
    case Format::name: {
      std::vector<std::string> names;
      for (const Item& item : items) names.push_back(view.name(item_value(item)));
      return format_names(names);
    }
    case Format::table: {
      std::vector<Row> rows;
      for (const Item& item : items) rows.push_back(view.cells(item_value(item)));
      return format_table(view.header, rows);
    }
  }
  return "";
}

}  // namespace volplugin::cli
