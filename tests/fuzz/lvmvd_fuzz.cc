// SPDX-License-Identifier: Apache-2.0
// What lvmvd is told: its command line (words separated by line breaks), the body of a call, and the name and
// options of a volume.
#include "json/reader.h"
#include "lvmvd/first_value.h"
#include "lvmvd/flags.h"
#include "lvmvd/requests.h"
#include "lvmvd/volume_options.h"
#include "model/size.h"

#include <cstdlib>
#include <string>
#include <vector>

using namespace volplugin;

namespace {

void command_line(std::string text) {
  std::vector<const char*> words;
  for (size_t start = 0; start < text.size();) {
    size_t end = text.find('\n', start);
    if (end == text.npos) end = text.size();
    words.push_back(text.data() + start);
    start = end + 1;
    if (end < text.size()) text[end] = '\0';
  }
  const auto line = lvmvd::parse_flags(words);
  if (line.ending && line.ending->exit_code != 0 && !line.ending->err.ends_with(lvmvd::usage())) std::abort();
  if (line.settings.default_size < lvmvd::kMinVolumeSize) std::abort();
}

void request(const std::string& text) {
  const auto value = lvmvd::first_json_value(text);
  // What the strict parser takes, Go takes too, but for a byte order mark.
  if (const auto strict = json::Value::parse(text, "body");
      strict && !value && !text.starts_with("\xEF\xBB\xBF"))
    std::abort();
  if (const auto parsed = lvmvd::parse_request(text); parsed && !value) std::abort();
}

void volume(const std::string& text) {
  const auto cut = text.find('\n');
  std::map<std::string, std::string> options;
  if (cut != text.npos) options["size"] = text.substr(cut + 1);
  const auto parsed = lvmvd::parse_volume_options(text.substr(0, cut), options, Bytes::mib(512));
  if (parsed && (parsed->size < lvmvd::kMinVolumeSize || parsed->size > model::kMaxSize)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  command_line(text);
  request(text);
  volume(text);
  return 0;
}
