// SPDX-License-Identifier: Apache-2.0
#include "cli/run.h"

#include "cli/commands/handlers.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/help.h"

namespace volplugin::cli {
namespace {

int fail(Streams& streams, const Error& error, const Line& line) {
  streams.out.flush();  // on a terminal the error stands below what was printed before it
  streams.err << "Error: " << error.message << '\n';
  const std::string next = advice(error, line);
  if (!next.empty()) streams.err << next << '\n';
  return exit_code(error.code);
}

// What the line asks for, if that is a help text.
Result<std::string> help_text(const Line& line) {
  if (line.topic) return topic_help(*line.topic);
  if (line.command != nullptr) return command_help(*line.command);
  return line.group != nullptr ? group_help(*line.group) : root_help();
}

Result<> check_known(const Line& line) {
  if (line.unknown.empty()) return {};
  const std::string& word = line.unknown.front();
  if (word.starts_with('-') && word.size() > 1) return unknown_flag(line.command, word);
  return unknown_command(line.group, word);
}

Result<> execute(const Line& line, Streams& streams, const Connect& connect) {
  TRY(check_known(line));
  if (line.has("version") && !line.has("help")) {
    streams.out << version_line() << '\n';
    return {};
  }
  if (line.command == nullptr || line.topic || line.has("help")) {
    streams.out << TRY(help_text(line));
    return {};
  }
  auto context = TRY(Context::open(line, streams, connect));
  return line.command->handler(context);
}

// Words that the completion script and the documentation use; not for people, so not in the table.
bool run_hidden(std::span<const std::string> args, Streams& streams, const Connect& connect) {
  if (args.empty()) return false;
  if (args[0] == "__complete") {
    for (const std::string& word : complete(args.subspan(1), connect)) streams.out << word << '\n';
    return true;
  }
  if (args[0] == "__markdown") {
    streams.out << markdown_reference();
    return true;
  }
  return false;
}

}  // namespace

int run(std::span<const std::string> args, Streams& streams, const Connect& connect) {
  if (!run_hidden(args, streams, connect)) {
    const auto line = parse_line(args);
    if (!line) return fail(streams, line.error(), {});
    const auto done = execute(*line, streams, connect);
    if (!done) return fail(streams, done.error(), *line);
  }
  streams.out.flush();
  if (streams.out.good()) return kDone;
  // A full disk behind a redirection must not look like an empty list.
  streams.err << "Error: writing to standard output failed\n";
  return kFailed;
}

}  // namespace volplugin::cli
