// SPDX-License-Identifier: Apache-2.0
// docs/volcli.md, made from the same table as the help.
#include "cli/exit_code.h"
#include "cli/help.h"

#include <cctype>

#include <fmt/format.h>

namespace volplugin::cli {
namespace {

constexpr std::string_view kIntroduction = R"(<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by `volcli __markdown`; change src/cli/commands.cc and run the unit tests with VOLPLUGIN_ACCEPT=1. -->
# volcli

volcli manages the policies, volumes and mounts that a volmaster looks after. It talks to volmaster over its
REST interface, so it can stand on any machine that reaches it. When no volmaster runs, it can work on the
records in etcd itself ([without a volmaster](#without-a-volmaster)).

```
volcli [FLAGS] COMMAND [ARGUMENTS]
```

`volcli`, `volcli help`, `volcli GROUP` and `volcli help GROUP` show what there is; `volcli help GROUP COMMAND`,
`volcli GROUP help COMMAND` and `volcli GROUP COMMAND --help` tell all about one command.

A volume is named by one word, `TENANT/VOLUME`, or by two, `TENANT VOLUME`.

## Output

- `get` prints one JSON document, indented by two, whatever `-o` says.
- Lists are tables on a terminal. Otherwise they are names, one per line and in ascending order, for scripts to
  read; `-o table`, `-o json` (an array) and `-o name` choose. `volume list` prints names without the tenant
  (which was given), `volume list-all` and `mount list` print `TENANT/VOLUME`.
- Commands that change something confirm it with one line on standard output, which `-q` leaves out. Warnings and
  errors go to standard error. On a terminal, calls that take longer than a second show what is waited for.

## Where volmaster is

The first of: `--master` (`--volmaster` means the same), the environment variable `VOLPLUGIN_MASTER`, the socket
`/run/volplugin/api.sock` if it exists, `127.0.0.1:9005`.

Of several volmasters that share an etcd, name all: with `--master` again, or separated by commas. The first one is
asked; one that refuses connections or hangs costs two seconds at most, then the next one is asked.
## Without a volmaster

With `--etcd URL` (and the flags that belong to it) volcli takes the records from etcd and changes them there, by
the same rules and in the same transactions as volmaster. It is meant for the time when no volmaster runs
([operations](operations/etcd.md#no-volmaster-runs)), but does no harm beside one. Commands that need storage work
or are about volmaster itself (`volume create`, `volume remove`, `health`, `version`) are refused. A policy's backend and
pool are not checked, as they are the server's; and which nodes are connected is not known.
)";

constexpr std::string_view kCompletion = R"(
## Completion in bash

`source <(volcli completion bash)`, or install that output as `/usr/share/bash-completion/completions/volcli`,
where the packages put it. Commands, flags, tenants, volumes and nodes are completed; names are asked of
volmaster, for two seconds at most.
)";

// In a table cell a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string flag_table(std::span<const Flag> flags) {
  std::string text = "| Flag | Meaning |\n|---|---|\n";
  for (const Flag& flag : flags) {
    std::string names = flag.letter == '\0' ? "" : fmt::format("`-{}`, ", flag.letter);
    names += fmt::format("`--{}{}{}`", flag.name, flag.value.empty() ? "" : " ", flag.value);
    if (!flag.alias.empty()) names += fmt::format(", `--{}`", flag.alias);
    text += fmt::format("| {} | {} |\n", names, cell(flag.help));
  }
  return text;
}

std::string command_section(const Command& command) {
  std::string summary(command.summary);
  summary[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(summary[0])));
  std::string text = fmt::format("\n### volcli {}\n\n{}.\n", command.path(), summary);
  if (!command.details.empty()) text += fmt::format("\n{}\n", command.details);
  text += fmt::format("\n```\n{}\n```\n", command.usage());
  if (!command.flags.empty()) text += "\n" + flag_table(command.flags);
  return text + fmt::format("\nExample: `{}`\n", command.example);
}

}  // namespace

std::string markdown_reference() {
  std::string text(kIntroduction);
  text += "\n## Flags of all commands\n\n" + flag_table(global_flags());
  text += "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n";
  for (const auto& [code, word, meaning] : exit_codes())
    text += fmt::format("| {} | {} |\n", static_cast<int>(code), meaning);
  text += kCompletion;
  for (const Group& group : groups()) {
    text += fmt::format("\n## volcli {}: {}\n", group.name, group.summary);
    for (const Command* command : commands_of(group.name)) text += command_section(*command);
  }
  text += "\n## Commands of one word\n";
  for (const Command* command : commands_of("")) text += command_section(*command);
  return text;
}

}  // namespace volplugin::cli
