// SPDX-License-Identifier: Apache-2.0
// Exchange: one question to volmaster's REST API and its answer, as JSON. Problem documents become the
// Error they were made of. Thread-safe; blocks at most until the Op ends.
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "http/client.h"
#include "json/reader.h"

#include <memory>
#include <optional>
#include <string>

namespace volplugin::client {

struct Question {
  std::string method = "GET";
  std::string target;  // encoded
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  int also_an_answer = 0;  // a status besides 2xx that is no error
};

struct Answer {
  int status = 0;
  std::optional<json::Value> body;  // of 204 and other empty ones: none
};

class Exchange {
 public:
  // See RestVolmaster::open().
  static Result<Exchange> open(const std::string& address, std::string actor);

  // Any success. Errors: what the server answered; those of http::Client::send; corrupt with
  // Effect::unknown for an answer that is neither.
  Result<Answer> ask(const Op& op, const Question& question) const;

  // The same for what is answered with 204, nothing.
  Result<> tell(const Op& op, const Question& question) const;

  // What `parse` reads of an answer's body; what it refuses is a corrupt answer.
  template <class Parse>
  auto understood(const Question& question, const Answer& answer, Parse parse) const
      -> decltype(parse(*answer.body)) {
    if (!answer.body) return not_understood(question, answer.status, "it has no body");
    auto parsed = parse(*answer.body);
    if (!parsed) return not_understood(question, answer.status, parsed.error().message);
    return parsed;
  }

  // Both at once.
  template <class Parse>
  auto read(const Op& op, const Question& question, Parse parse) const
      -> decltype(parse(std::declval<const json::Value&>())) {
    const Answer answer = TRY(ask(op, question));
    return understood(question, answer, parse);
  }

 private:
  Exchange(std::unique_ptr<http::Client> client, std::string actor)
      : client_(std::move(client)), actor_(std::move(actor)) {}
  Error not_understood(const Question& question, int status, std::string_view why) const;
  Result<http::ClientResponse> send(const Op& op, const Question& question) const;

  std::unique_ptr<http::Client> client_;
  std::string actor_;
};

}  // namespace volplugin::client
