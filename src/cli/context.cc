// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include "base/check.h"

namespace volplugin::cli {
namespace {

// How many words the argument may have.
std::pair<size_t, size_t> word_count(Argument argument) {
  switch (argument) {
    case Argument::none:
      return {0, 0};
    case Argument::tenant:
    case Argument::snapshot:
    case Argument::node:
    case Argument::operation:
      return {1, 1};
    case Argument::volume:
    case Argument::mount:
      return {1, 2};
  }
  return {0, 0};
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

Error needs_volmaster(const Command& command) {
  return make_error(Code::invalid_argument,
                    fmt::format("'{}' needs a volmaster: with --etcd only records are read and changed, no "
                                "storage is touched, and nothing was done\nStart one with 'volmaster --etcd "
                                "URL' and leave out --etcd here.",
                                command.path()));
}

}  // namespace

Result<Context> Context::open(const Line& line, Streams& streams, const Connect& connect) {
  CHECK(line.command != nullptr);
  TRY(check_words(line));
  auto target = TRY(target_of(line));
  if (!target.etcd.endpoints.empty() && line.command->needs == Needs::volmaster)
    return needs_volmaster(*line.command);
  Context context(line, streams, connect, std::move(target), TRY(line.timeout()));
  context.format_ = TRY(line.format());
  return context;
}

Context::Context(const Line& line, Streams& streams, const Connect& connect, Target target, Millis timeout)
    : line_(&line),
      streams_(&streams),
      connect_(&connect),
      target_(std::move(target)),
      op_(system_clock(), timeout, make_request_id(), "volcli") {}

Result<service::Volmaster*> Context::volmaster() {
  if (!volmaster_) volmaster_ = TRY(connect_->records(target_, op_));
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
