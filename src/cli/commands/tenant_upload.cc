// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "json/reader.h"

#include <fstream>
#include <iterator>

namespace volplugin::cli {
namespace {

constexpr size_t kMaxPolicy = 1 << 20;

Result<std::string> read_policy(std::istream& in, std::string_view what) {
  // One byte more than allowed, so that a document that is too long is seen to be.
  std::string text(kMaxPolicy + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad())
    return make_error(Code::invalid_argument, fmt::format("cannot read the policy from {}", what));
  if (text.size() > kMaxPolicy)
    return make_error(Code::invalid_argument,
                      fmt::format("the policy from {} is longer than 1 MiB, which no policy may be", what));
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    return make_error(
        Code::invalid_argument,
        fmt::format("{} is empty; expected a policy as JSON, as in: volcli tenant upload NAME < "
                    "policy.json",
                    what));
  return text;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)  // not_found would read as: no such tenant
    return make_error(Code::invalid_argument, errno_error(errno, fmt::format("opening '{}'", path)).message);
  return read_policy(file, fmt::format("'{}'", path));
}

Result<std::string> read_input(const Context& context) {
  const std::string path = context.line().value("file", "-");
  if (path != "-") return read_file(path);
  if (context.streams().in_is_terminal && !context.quiet())
    context.streams().err << "Type the policy as JSON and end it with Ctrl-D." << std::endl;
  return read_policy(context.streams().in, "standard input");
}

}  // namespace

Result<> tenant_upload(Context& context) {
  const auto name = TRY(context.tenant());
  const std::string text = TRY(read_input(context));
  // Checked here first: the error names the field even where no volmaster can be reached.
  const auto json = TRY(json::Value::parse(text, "policy"));
  const auto tenant = TRY_CTX(wire::parse_tenant(json, name), "policy of '{}'", name.str());
  auto* const volmaster = TRY(context.volmaster());
  TRY(volmaster->put_tenant(context.op(), tenant, std::nullopt));
  context.confirm(fmt::format("{} uploaded", name.str()));
  return {};
}

}  // namespace volplugin::cli
