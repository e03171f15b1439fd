// SPDX-License-Identifier: Apache-2.0
// Command lines of volcli, one word per line: what they mean and where they lead.
#include "cli/target.h"

#include <cstdlib>
#include <sstream>
#include <string>

using namespace volplugin;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  std::istringstream input(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<std::string> words;
  for (std::string word; std::getline(input, word) && words.size() < 32;) words.push_back(word);
  const auto line = cli::parse_line(words);
  if (!line) return 0;
  std::ignore = line->format();
  std::ignore = line->timeout();
  const auto target = cli::target_of(*line);
  // Never both, never neither.
  if (target && target->etcd.endpoints.empty() == line->has("etcd")) std::abort();
  if (target && target->masters.empty() != line->has("etcd")) std::abort();
  return 0;
}
