// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include "base/clock.h"
#include "base/one_line.h"
#include "json/writer.h"

#include <cstdlib>

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

namespace volplugin::daemon {
namespace {

LogFormat format_in_use = LogFormat::text;  // set once by open_log()

std::string_view word_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum spd_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

Result<LogFormat> parse_log_format(std::string_view word) {
  if (word == "text") return LogFormat::text;
  if (word == "json") return LogFormat::json;
  return make_error(Code::invalid_argument, fmt::format("log format '{}' is not text or json", word));
}

void open_log(LogFormat format, LogLevel lowest) {
  format_in_use = format;
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("volplugin", std::move(sink));
  logger->set_level(spd_level(lowest));
  // The journal adds the time itself.
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(format == LogFormat::json ? "%v"
                      : journal                 ? "%l: %v"
                                                : "%Y-%m-%dT%H:%M:%S.%e %^%l%$: %v");
  spdlog::set_default_logger(std::move(logger));
}

void log(LogLevel level, std::string_view message) {
  if (!spdlog::should_log(spd_level(level))) return;
  if (format_in_use == LogFormat::text) {
    // Messages quote what callers sent. (JSON escapes it by itself.)
    spdlog::log(spd_level(level), "{}", on_one_line(message));
    return;
  }
  json::Writer line;
  line.begin_object().field("time", format_rfc3339(system_clock().wall())).field("level", word_of(level));
  line.field("message", message).end_object();
  spdlog::log(spd_level(level), "{}", line.text());
}

}  // namespace volplugin::daemon
