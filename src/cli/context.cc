// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include "base/check.h"

#include <cstdlib>
#include <ranges>

#include <sys/stat.h>

namespace volplugin::cli {
namespace {

constexpr const char* kLocalSocket = "/run/volplugin/api.sock";
constexpr const char* kDefaultAddress = "127.0.0.1:9005";

bool is_socket(const char* path) {
  struct stat status{};
  return ::stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

// How many words the argument may have.
std::pair<size_t, size_t> word_count(Argument argument) {
  switch (argument) {
    case Argument::none:
      return {0, 0};
    case Argument::tenant:
    case Argument::node:
      return {1, 1};
    case Argument::volume:
    case Argument::mount:
      return {1, 2};
  }
  return {0, 0};
}

std::vector<std::string> split_at_commas(const std::string& text) {
  if (text.empty()) return {text};
  std::vector<std::string> parts;
  for (const auto part : std::views::split(text, ',')) parts.emplace_back(part.begin(), part.end());
  return parts;
}

Result<> check_words(const Line& line) {
  const auto [least, most] = word_count(line.command->argument);
  const size_t count = line.words.size();
  if (count >= least && count <= most) return {};
  const std::string why = count < least
                              ? fmt::format("{} is missing", argument_name(line.command->argument))
                              : fmt::format("'{}' is one word too many", model::printable(line.words[most]));
  return make_error(Code::invalid_argument, fmt::format("{}\nUsage: {}\nSee 'volcli help {}'.", why,
                                                        line.command->usage(), line.command->path()));
}

}  // namespace

std::vector<std::string> master_addresses(const Line& line) {
  if (const auto given = line.flags.find("master"); given != line.flags.end())
    return split_at_commas(fmt::format("{}", fmt::join(given->second, ",")));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read before any thread exists
  const char* const from_environment = std::getenv("VOLPLUGIN_MASTER");
  if (from_environment != nullptr && *from_environment != '\0') return split_at_commas(from_environment);
  return {is_socket(kLocalSocket) ? fmt::format("unix://{}", kLocalSocket) : kDefaultAddress};
}

Result<Context> Context::open(const Line& line, Streams& streams, const Connect& connect) {
  CHECK(line.command != nullptr);
  TRY(check_words(line));
  Context context(line, streams, connect, TRY(line.timeout()));
  context.format_ = TRY(line.format());
  return context;
}

Context::Context(const Line& line, Streams& streams, const Connect& connect, Millis timeout)
    : line_(&line),
      streams_(&streams),
      connect_(&connect),
      addresses_(master_addresses(line)),
      op_(system_clock(), timeout, make_request_id(), "volcli") {}

Result<service::Volmaster*> Context::volmaster() {
  if (!volmaster_) volmaster_ = TRY((*connect_)(addresses_));
  return volmaster_.get();
}

Result<model::VolumeId> Context::volume() const {
  if (line_->words.size() == 2) return model::parse_volume_id(line_->words[0], line_->words[1]);
  return model::parse_volume_id(line_->words.front());
}

Format Context::list_format() const {
  if (format_) return *format_;
  return streams_->out_is_terminal ? Format::table : Format::name;
}

void Context::confirm(std::string_view text) const {
  if (!quiet()) streams_->out << text << '\n';
}

void Context::warn(std::string_view text) const {
  streams_->err << "Warning: " << text << '\n';
}

}  // namespace volplugin::cli
