// SPDX-License-Identifier: Apache-2.0
#include "client/exchange.h"

#include "model/names.h"

#include <algorithm>

namespace volplugin::client {
namespace {

constexpr Millis kLongestMargin{1'000};
constexpr Millis kSilence{45'000};  // of a stream: volmaster says something every 15 s
constexpr std::string_view kProblem = "application/problem+json";

// The server stops a little before us, so that its own answer, which knows whether something happened,
// comes in time.
Millis timeout_to_tell(const Op& op) {
  const Millis left = op.remaining();
  return std::max(left - std::min(left / 4, kLongestMargin), Millis(1));
}

// Servers of this API always say it; others on the way (a proxy, a server in trouble) may not.
bool effect_unknown(int status) {
  return status == 500 || status == 502 || status == 504;
}

// Wrapped: a Result<Error> could not tell the one from the other.
struct Problem {
  Error error;
};

Result<Problem> parse_problem(const json::Value& value, int status) {
  auto object = TRY(json::Object::open(value));
  const std::string code = TRY(object.string("code"));
  std::string message = TRY(object.string("detail"));
  const bool unknown = TRY(object.boolean_or("effect-unknown", effect_unknown(status)));
  return Problem{
      make_error(code_from_string(code), std::move(message), unknown ? Effect::unknown : Effect::none)};
}

// What is not of the form the server reads would only be ignored there, or refused by the HTTP client.
bool fits_header(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](char c) { return c < 0x20 || c >= 0x7f; });
}

}  // namespace

Result<Exchange> Exchange::open(const std::vector<std::string>& addresses, std::string actor,
                                Patience patience) {
  auto masters = TRY(Masters::open(addresses, patience));
  return Exchange(std::move(masters), std::move(actor));
}

Error Exchange::not_understood(const Question& question, const Answer& answer, std::string_view why) {
  return make_error(Code::corrupt,
                    fmt::format("{} answered {} {} with status {}, but not as volmaster does: {}",
                                answer.from, question.method, question.target, answer.status, why),
                    Effect::unknown);
}

http::ClientRequest Exchange::request_of(const Op& op, const Question& question) const {
  http::ClientRequest request{question.method, question.target, question.headers, question.body};
  if (fits_header(op.request_id())) request.headers.emplace_back("X-Request-Id", op.request_id());
  if (fits_header(actor_)) request.headers.emplace_back("X-Volplugin-Actor", actor_);
  request.headers.emplace_back("Request-Timeout-Ms", std::to_string(timeout_to_tell(op).count()));
  if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  return request;
}

Result<Answer> Exchange::read_answer(const Question& question, const http::ClientResponse& response,
                                     const std::string& from) {
  Answer answer{response.status, std::nullopt, from};
  const bool success = response.status >= 200 && response.status < 300;
  if (response.body.empty() && success) return answer;
  auto body = json::Value::parse(response.body, "answer");
  if (!body)
    return not_understood(question, answer, fmt::format("'{}' is no JSON", model::printable(response.body)));
  if (!success && response.header("content-type").starts_with(kProblem)) {
    auto problem = parse_problem(*body, response.status);
    if (!problem) return not_understood(question, answer, problem.error().message);
    return std::move(problem->error);
  }
  if (!success && response.status != question.also_an_answer)
    return not_understood(question, answer, fmt::format("'{}'", model::printable(response.body)));
  answer.body = std::move(*body);
  return answer;
}

Result<Answer> Exchange::ask(const Op& op, const Question& question) const {
  const auto kind = question.method == "GET" ? Masters::Kind::read
                    : question.repeatable    ? Masters::Kind::repeatable
                                             : Masters::Kind::once;
  std::optional<Answer> answer;
  bool answered = false;  // by anybody, with anything
  auto asked = masters_->ask(op, kind, [&](const Op& its_op, http::Client& master) -> Result<> {
    const auto response = TRY(master.send(its_op, request_of(its_op, question)));
    answered = true;
    answer = TRY(read_answer(question, response, master.address()));
    return {};
  });
  if (asked) return std::move(*answer);
  Error error = std::move(asked.error());
  if (!answered && error.code == Code::unavailable && error.effect == Effect::none)
    error.message += "; is volmaster (or volplugin --standalone) running? see --master";
  return error;
}

Result<> Exchange::follow(const Op& op, const Question& question,
                          const std::function<bool(std::string_view part)>& take) const {
  bool begun = false, enough = false;
  Result<> end;
  const http::Following following{[&](std::string_view part) {
                                    begun = true;
                                    enough = !take(part);
                                    return !enough;
                                  },
                                  kSilence};
  const auto asked =
      masters_->ask(op, Masters::Kind::read, [&](const Op& its_op, http::Client& master) -> Result<> {
        const auto response = master.follow(its_op, request_of(its_op, question), following);
        if (!begun && !response) return response.error();
        if (!begun) TRY(read_answer(question, *response, master.address()));
        if (enough) return {};
        if (op.stop().stop_requested()) {
          end = op.check("following");
        } else {
          const bool silent = !response && response.error().code == Code::cancelled;
          end = make_error(Code::unavailable, response ? master.address() + " ended the stream"
                                              : silent ? master.address() + " gives no sign of life"
                                                       : response.error().message);
        }
        return {};
      });
  TRY(asked);
  return end;
}

Result<> Exchange::tell(const Op& op, const Question& question) const {
  const Answer answer = TRY(ask(op, question));
  if (answer.status != 204) return not_understood(question, answer, "204 was expected");
  return {};
}

}  // namespace volplugin::client
