// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/flags.h"

#include "json/writer.h"
#include "lvmvd/volume_options.h"

#include <array>
#include <string_view>

namespace volplugin::lvmvd {
namespace {

struct Flag {
  std::string_view name;
  std::string_view value;  // what the usage calls its value; empty: a boolean flag
  std::string_view help;
  Result<> (*set)(Settings& settings, std::string_view text);
};

template <std::string Settings::* kMember>
Result<> set_text(Settings& settings, std::string_view text) {
  settings.*kMember = text;
  return {};
}

template <bool Settings::* kMember>
Result<> set_boolean(Settings& settings, std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == word) {
      settings.*kMember = true;
      return {};
    }
  for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == word) {
      settings.*kMember = false;
      return {};
    }
  return make_error(Code::invalid_argument, "parse error");
}

Result<> set_default_size(Settings& settings, std::string_view text) {
  settings.default_size = TRY(parse_volume_size(text));
  return {};
}

constexpr std::array kFlags{
    Flag{"volume-group-name", "NAME", "volume group to make volumes in; required",
         set_text<&Settings::volume_group>},
    Flag{"mount-root", "DIRECTORY", "where volumes are mounted, made if missing; required",
         set_text<&Settings::mount_root>},
    Flag{"default-size", "SIZE",
         "size of a volume that is given none: MB, or with a unit, as 2G (default 512)", set_default_size},
    Flag{"listener", "unix|http", "how Docker reaches lvmvd (default unix)", set_text<&Settings::listener>},
    Flag{"sock-file", "PATH",
         "unix: the socket, or an existing directory for it\n"
         "(default /run/docker/plugins/lvm-volume-driver.sock)",
         set_text<&Settings::sock_file>},
    Flag{"host", "NAME", "http: name or address to listen on (default localhost)", set_text<&Settings::host>},
    Flag{"port", "NUMBER", "http: port to listen on (default 8080)", set_text<&Settings::port>},
    Flag{"json-file", "PATH",
         "http: the file that tells Docker the address, or an existing directory for it\n"
         "(default /etc/docker/plugins/lvm-volume-driver.json)",
         set_text<&Settings::json_file>},
    Flag{"state-dir", "DIRECTORY", "where lvmvd keeps its records (default /var/lib/lvmvd)",
         set_text<&Settings::state_dir>},
    Flag{"debug", "", "log every request and its answer", set_boolean<&Settings::debug>},
    Flag{"version", "", "print the version and end", set_boolean<&Settings::version>},
};

const Flag* find_flag(std::string_view name) {
  for (const Flag& flag : kFlags)
    if (flag.name == name) return &flag;
  return nullptr;
}

std::string quoted(std::string_view text) {
  return json::Writer().string(text).take();
}

Ending wrong(std::string_view message) {
  return {2, "", fmt::format("{}\n{}", message, usage())};
}

// Reads the words one by one.
class Reader {
 public:
  explicit Reader(std::span<const char* const> words) : words_(words) {}

  // Takes one flag. False at the end of the flags and when there is an ending.
  bool step(CommandLine& line);

 private:
  std::optional<Ending> take(const Flag& flag, std::optional<std::string_view> value, Settings& settings);

  std::span<const char* const> words_;
};

bool Reader::step(CommandLine& line) {
  if (words_.empty()) return false;
  const std::string_view word = words_.front();
  if (word.size() < 2 || word.front() != '-' || word == "--") return false;
  words_ = words_.subspan(1);
  std::string_view name = word.substr(word[1] == '-' ? 2 : 1);
  if (name.front() == '-' || name.front() == '=') {
    line.ending = wrong(fmt::format("bad flag syntax: {}", word));
    return false;
  }
  std::optional<std::string_view> value;
  if (const size_t equals = name.find('='); equals != std::string_view::npos) {
    value = name.substr(equals + 1);
    name = name.substr(0, equals);
  }
  const Flag* flag = find_flag(name);
  if (flag != nullptr)
    line.ending = take(*flag, value, line.settings);
  else if (name == "h" || name == "help")
    line.ending = Ending{0, "", usage()};
  else
    line.ending = wrong(fmt::format("flag provided but not defined: -{}", name));
  return !line.ending;
}

std::optional<Ending> Reader::take(const Flag& flag, std::optional<std::string_view> value,
                                   Settings& settings) {
  const bool boolean = flag.value.empty();
  if (!value && boolean) value = "true";
  if (!value) {
    if (words_.empty()) return wrong(fmt::format("flag needs an argument: -{}", flag.name));
    value = words_.front();
    words_ = words_.subspan(1);
  }
  const auto set = flag.set(settings, *value);
  if (set) return std::nullopt;
  return wrong(fmt::format("invalid {} {} for {}-{}: {}", boolean ? "boolean value" : "value", quoted(*value),
                           boolean ? "" : "flag ", flag.name, set.error().message));
}

}  // namespace

CommandLine parse_flags(std::span<const char* const> args) {
  CommandLine line;
  Reader reader(args);
  while (reader.step(line)) {
  }
  if (!line.ending && line.settings.version)
    line.ending = Ending{0, fmt::format("lvmvd {}\n", VOLPLUGIN_VERSION), ""};
  return line;
}

std::string usage() {
  std::string text =
      "Usage: lvmvd --volume-group-name=NAME --mount-root=DIRECTORY [flags]\n"
      "\n"
      "Serves Docker volumes that are logical volumes of one LVM volume group. Needs root.\n"
      "\n"
      "Example: lvmvd --volume-group-name=services-vg --mount-root=/var/volume/services --default-size=1G\n"
      "         docker volume create --driver lvm-volume-driver --opt size=4G data\n"
      "         docker volume create --driver lvm-volume-driver data-oS4G     (the same size, in the name)\n"
      "\n"
      "Flags, written --flag=value or --flag value, with one dash or two:\n";
  for (const Flag& flag : kFlags) {
    constexpr std::string_view kMargin = "                               ";
    text += fmt::format("  {:<28} ",
                        fmt::format("--{}{}{}", flag.name, flag.value.empty() ? "" : " ", flag.value));
    for (const char c : flag.help) {
      text += c;
      if (c == '\n') text += kMargin;
    }
    text += '\n';
  }
  text += "\nExit codes: 0 ended by a signal, 1 could not start, 2 wrong flags.\n";
  return text;
}

}  // namespace volplugin::lvmvd
