// SPDX-License-Identifier: Apache-2.0
// api/openapi.yaml and the table of routes say the same. The YAML is read by its indentation, which is as
// much as this needs: paths at two blanks, methods at four, and names of components where they are used.
#include "http/server.h"
#include "rest/routes.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace volplugin::rest {
namespace {

constexpr std::array<std::string_view, 5> kMethods{"get", "put", "post", "patch", "delete"};
constexpr std::string_view kQuery = "#/components/parameters/query-";

// "GET /v1/volumes" to the keys of its query.
using Operations = std::map<std::string, std::set<std::string>>;

std::vector<std::string> lines_of_openapi() {
  std::ifstream file(SOURCE_DIR "/api/openapi.yaml");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

size_t indent_of(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

Operations operations_of_openapi() {
  Operations operations;
  std::string section, path, operation;
  for (const auto& line : lines_of_openapi()) {
    const size_t indent = indent_of(line);
    const std::string key = line.substr(indent, line.find(':', indent) - indent);
    if (indent == 0 && !key.empty()) section = key;
    if (section != "paths") continue;
    if (indent == 2) {
      path = key;
      operation.clear();
    } else if (indent == 4 && std::ranges::find(kMethods, key) != kMethods.end()) {
      operation = upper(key) + " " + path;
      operations[operation];
    } else if (const size_t at = line.find(kQuery); at != std::string::npos) {
      // A path's own parameters would hold for all its methods; queries are never written so.
      EXPECT_NE(operation, "") << line;
      const size_t begin = at + kQuery.size();
      operations[operation].insert(line.substr(begin, line.find('\'', begin) - begin));
    }
  }
  return operations;
}

TEST(OpenapiTest, DescribesExactlyTheRoutes) {
  Operations table;
  for (const auto& route : routes())
    table[fmt::format("{} {}", route.method, route.pattern)] = {route.query.begin(), route.query.end()};
  EXPECT_EQ(table.size(), routes().size()) << "a route stands twice in the table";
  EXPECT_EQ(operations_of_openapi(), table);
}

TEST(OpenapiTest, ListsAllErrorCodes) {
  std::set<std::string> described;
  bool inside = false;
  for (const auto& line : lines_of_openapi()) {
    if (indent_of(line) <= 4) inside = line == "    Code:";
    if (const size_t dash = line.find("- "); inside && dash != std::string::npos)
      described.insert(line.substr(dash + 2));
  }
  EXPECT_EQ(described.size(), 13U);
  for (const auto& word : described) EXPECT_EQ(to_string(code_from_string(word)), word);
}

TEST(OpenapiTest, EveryRouteHasAHandler) {
  for (const auto& route : routes())
    EXPECT_NE(route.handler, nullptr) << route.method << " " << route.pattern;
}

}  // namespace
}  // namespace volplugin::rest
