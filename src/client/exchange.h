// SPDX-License-Identifier: Apache-2.0
// Exchange: one question to the REST API of one of several volmasters and its answer, as JSON. Problem
// documents become the Error they were made of. Thread-safe; blocks at most until the Op ends.
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "client/masters.h"
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
  // Of a change: another volmaster may be sent the same when nobody knows whether the first one made it.
  // False unless making it twice is making it once; each question says why.
  bool repeatable = false;
};

struct Answer {
  int status = 0;
  std::optional<json::Value> body;  // of 204 and other empty ones: none
  std::string from;                 // address
};

class Exchange {
 public:
  // See RestVolmaster::open().
  static Result<Exchange> open(const std::vector<std::string>& addresses, std::string actor,
                               Patience patience);

  size_t masters() const { return masters_->count(); }

  // Any success. Errors: what the server answered; those of http::Client::send and Masters::ask; corrupt
  // with Effect::unknown for an answer that is neither.
  Result<Answer> ask(const Op& op, const Question& question) const;

  // What goes on until it is lost or `take` has enough. Once it has begun no other volmaster is asked.
  // Errors: those of ask(); unavailable when it is lost.
  Result<> follow(const Op& op, const Question& question,
                  const std::function<bool(std::string_view part)>& take) const;

  // The same for what is answered with 204, nothing.
  Result<> tell(const Op& op, const Question& question) const;

  // What `parse` reads of an answer's body; what it refuses is a corrupt answer.
  template <class Parse>
  auto understood(const Question& question, const Answer& answer, Parse parse) const
      -> decltype(parse(*answer.body)) {
    if (!answer.body) return not_understood(question, answer, "it has no body");
    auto parsed = parse(*answer.body);
    if (!parsed) return not_understood(question, answer, parsed.error().message);
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
  Exchange(std::unique_ptr<Masters> masters, std::string actor)
      : masters_(std::move(masters)), actor_(std::move(actor)) {}
  static Error not_understood(const Question& question, const Answer& answer, std::string_view why);
  http::ClientRequest request_of(const Op& op, const Question& question) const;
  static Result<Answer> read_answer(const Question& question, const http::ClientResponse& response,
                                    const std::string& from);

  std::unique_ptr<Masters> masters_;
  std::string actor_;
};

}  // namespace volplugin::client
