// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include "base/check.h"

#include <algorithm>

namespace volplugin::cli {
namespace {

constexpr std::string_view kGap = "  ";

void append_row(std::string& out, const Row& row, const std::vector<size_t>& widths) {
  size_t pending = 0;  // blanks that are written only if something follows
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string_view cell = row[i].empty() ? std::string_view("-") : row[i];
    out.append(pending, ' ');
    out += cell;
    pending = widths[i] - std::max<size_t>(cell.size(), 1) + kGap.size();
  }
  out += '\n';
}

}  // namespace

std::string format_table(const Row& header, std::span<const Row> rows) {
  std::vector<size_t> widths;
  for (const std::string& title : header) widths.push_back(std::max<size_t>(title.size(), 1));
  for (const Row& row : rows) {
    CHECK(row.size() == header.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  append_row(out, header, widths);
  for (const Row& row : rows) append_row(out, row, widths);
  return out;
}

std::string format_names(std::span<const std::string> names) {
  std::string out;
  for (const std::string& name : names) (out += name) += '\n';
  return out;
}

}  // namespace volplugin::cli
