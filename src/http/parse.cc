// SPDX-License-Identifier: Apache-2.0
#include "http/parse.h"

#include "http/asio.h"

#include <algorithm>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace volplugin::http {
namespace {

namespace beast = boost::beast;
using ParseError = beast::http::error;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return out;
}

// "http://host/path" (sent by proxies) becomes "/path".
std::string_view origin_form(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return target;
  const size_t slash = target.find('/', kScheme.size());
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

}  // namespace

class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  explicit Parser(const Limits& limits) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(limits.body_bytes);
    eager(true);
  }

  size_t feed(std::string_view bytes);
  const std::optional<Refusal>& refusal() const { return refusal_; }
  bool wants_continue() const { return is_header_done() && !is_done() && expect_ == "100-continue"; }
  Framing framing() const { return {request_.method == "HEAD", http11_, keep_alive()}; }
  Request take() { return std::move(request_); }

 private:
  using Field = beast::http::field;

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code& ec) override;
  void on_response_impl(int, beast::string_view, int, error_code&) override {}
  void on_field_impl(Field field, beast::string_view name, beast::string_view value, error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  size_t on_body_impl(beast::string_view body, error_code&) override { return append(body); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
    return append(body);
  }
  void on_finish_impl(error_code&) override {}

  size_t append(beast::string_view body) {
    request_.body.append(body.data(), body.size());
    return body.size();
  }
  void refuse(int status, std::string_view code, std::string detail) {
    refusal_ = Refusal{status, std::string(code), std::move(detail)};
  }
  void refuse(error_code& ec, int status, std::string detail) {
    refuse(status, status == 501 ? "unsupported" : "invalid_argument", std::move(detail));
    ec = ParseError::bad_value;
  }
  void refuse_parse_error(const error_code& ec);

  const Limits limits_;
  Request request_;
  std::optional<Refusal> refusal_;
  bool http11_ = true;
  bool header_seen_ = false;
  bool chunked_ = false;
  size_t header_bytes_ = 0;  // consumed so far; the parser itself limits only what it has not consumed
  int hosts_ = 0;
  int lengths_ = 0;
  std::string expect_;
};

size_t RequestReader::Parser::feed(std::string_view bytes) {
  size_t used = 0;
  // RFC 9112, 2.2: empty lines in front of the request line are to be ignored.
  while (!got_some() && bytes.substr(used).starts_with("\r\n")) used += 2;
  if (!got_some() && bytes.substr(used) == "\r") return used;
  while (used < bytes.size() && !is_done() && !refusal_) {
    // Boost 1.74 asserts that it has this much when it looks at the last chunk again. No valid rest of a
    // chunked body is shorter ("0\r\n\r\n"), so waiting for it costs nothing.
    if (header_seen_ && chunked_ && bytes.size() - used < 5) break;
    error_code ec;
    const size_t taken = put(asio::buffer(bytes.data() + used, bytes.size() - used), ec);
    used += taken;
    if (!header_seen_) header_bytes_ += taken;
    if (ec == ParseError::need_more) break;
    if (ec) refuse_parse_error(ec);
  }
  // What is left is an incomplete header, chunk header or trailer: it must not grow for ever either.
  const size_t unfinished = (header_seen_ ? 0 : header_bytes_) + (bytes.size() - used);
  if (!refusal_ && !is_done() && unfinished > limits_.header_bytes)
    refuse_parse_error(make_error_code(ParseError::header_limit));
  return used;
}

void RequestReader::Parser::refuse_parse_error(const error_code& ec) {
  if (refusal_) return;  // one of our own, said better
  if (ec == ParseError::header_limit)
    refuse(431, "resource_exhausted",
           fmt::format("the header is larger than {} bytes", limits_.header_bytes));
  else if (ec == ParseError::body_limit)
    refuse(413, "resource_exhausted", fmt::format("the body is larger than {} bytes", limits_.body_bytes));
  else
    refuse(400, "invalid_argument", fmt::format("malformed request: {}", ec.message()));
}

void RequestReader::Parser::on_request_impl(beast::http::verb, beast::string_view method,
                                            beast::string_view target, int version, error_code& ec) {
  http11_ = version >= 11;
  request_.method = view(method);
  const std::string_view origin = origin_form(view(target));
  if (!origin.starts_with('/') || origin.find('#') != std::string_view::npos)
    return refuse(ec, 400, "the request target must be a path");
  const size_t mark = origin.find('?');
  request_.path = origin.substr(0, mark);
  if (mark != std::string_view::npos) request_.query = origin.substr(mark + 1);
}

void RequestReader::Parser::on_field_impl(Field field, beast::string_view name, beast::string_view value,
                                          error_code& ec) {
  if (header_seen_) return;  // a trailer: must not be able to add or replace anything
  switch (field) {
    case Field::host:
      if (++hosts_ > 1) return refuse(ec, 400, "more than one Host header");
      if (value.empty() && http11_ && !limits_.allow_empty_host) return refuse(ec, 400, "empty Host header");
      break;
    case Field::content_length:
      if (++lengths_ > 1 || value.find(',') != beast::string_view::npos)
        return refuse(ec, 400, "more than one Content-Length");
      break;
    case Field::transfer_encoding:
      if (!http11_) return refuse(ec, 400, "Transfer-Encoding in an HTTP/1.0 request");
      if (lower(view(value)) != "chunked")
        return refuse(ec, 501, "only Transfer-Encoding: chunked is understood");
      chunked_ = true;
      break;
    case Field::expect:
      expect_ = lower(view(value));
      break;
    default:
      break;
  }
  request_.headers.emplace_back(lower(view(name)), view(value));
}

void RequestReader::Parser::on_header_impl(error_code& ec) {
  header_seen_ = true;
  if (http11_ && hosts_ == 0) return refuse(ec, 400, "the Host header is missing");
  if (!http11_) expect_.clear();  // HTTP/1.0 does not know it
  if (!expect_.empty() && expect_ != "100-continue")
    return refuse(ec, 417, "only Expect: 100-continue is known");
}

RequestReader::RequestReader(const Limits& limits) : parser_(std::make_unique<Parser>(limits)) {}
RequestReader::~RequestReader() = default;
size_t RequestReader::feed(std::string_view bytes) {
  return parser_->feed(bytes);
}
bool RequestReader::complete() const {
  return parser_->is_done() && !parser_->refusal();
}
const std::optional<Refusal>& RequestReader::refusal() const {
  return parser_->refusal();
}
bool RequestReader::wants_continue() const {
  return parser_->wants_continue();
}
Framing RequestReader::framing() const {
  return parser_->framing();
}
Request RequestReader::take() {
  return parser_->take();
}

}  // namespace volplugin::http
