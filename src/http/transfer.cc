// SPDX-License-Identifier: Apache-2.0
// About retries. libcurl repeats a request by itself in one case: it was sent on a kept-alive connection
// that was then closed without one byte of answer. The server may have carried it out, so that is only
// allowed for GET and HEAD; for the rest allow_sending() stops the second attempt and the caller gets
// `unavailable` with Effect::unknown. (libcurl looks whether an idle connection was closed before it uses
// it, so a server that restarted in between is no error at all.)
#include "http/transfer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <stop_token>

namespace volplugin::http {
namespace {

constexpr size_t kMaxBody = size_t{64} << 20;
constexpr long kReceiveBytes =
    64 << 10;  // at once; with libcurl's own 16 KiB a long list takes a quarter longer
constexpr size_t kMaxHeader = size_t{256} << 10;

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<> check_request(const ClientRequest& request) {
  const auto bad = [](std::string_view what) {
    return make_error(Code::invalid_argument, fmt::format("HTTP request: {}", what));
  };
  if (request.method.empty() ||
      !std::ranges::all_of(request.method, [](char c) { return c >= 'A' && c <= 'Z'; }))
    return bad("the method must be upper case letters");
  if (!request.target.starts_with('/') || has_control(request.target) ||
      request.target.find_first_of(" #") != std::string::npos)
    return bad("the target must be an encoded path");
  for (const auto& [name, value] : request.headers)
    if (name.empty() || has_control(name) || name.find_first_of(": ") != std::string::npos ||
        has_control(value))
      return bad(fmt::format("header '{}' has a character that is not allowed", name));
  return {};
}

bool names_content_type(const ClientRequest& request) {
  return std::ranges::any_of(request.headers, [](const auto& header) {
    return curl_strequal(header.first.c_str(), "content-type") != 0;
  });
}

}  // namespace

struct Transfer::Collected {
  CURL* easy = nullptr;
  ClientResponse response;
  const Following* following = nullptr;
  bool begun = false;  // something of what is followed has come
  bool enough = false;
  SteadyTime heard{};  // when that was, last
  const Clock* clock = nullptr;
  size_t header_bytes = 0;
  bool too_large = false;
  bool safe_to_repeat = false;
  int attempts = 0;

  static size_t on_header(char* bytes, size_t, size_t size, void* self) {
    return static_cast<Collected*>(self)->add_header(std::string_view(bytes, size)) ? size : 0;
  }
  static size_t on_body(char* bytes, size_t, size_t size, void* self) {
    auto& collected = *static_cast<Collected*>(self);
    if (collected.following != nullptr && collected.response.status / 100 == 2)
      return collected.take({bytes, size}) ? size : 0;
    auto& body = collected.response.body;
    collected.too_large = body.size() + size > kMaxBody;
    if (collected.too_large) return 0;
    if (body.empty()) body.reserve(std::max(size, collected.announced()));
    body.append(bytes, size);
    return size;
  }
  // How long the next piece of the answer may take.
  Millis left(const Op& op) const {
    if (!begun) return op.remaining();
    const auto until = heard + following->silence;
    return std::max(Millis(0), std::chrono::ceil<Millis>(until - clock->now()));
  }
  Result<> goes_on(const Op& op, const Address& address) const {
    if (!begun) return op.check(address.text());
    if (op.stop().stop_requested()) return make_error(Code::cancelled, address.text() + ": cancelled");
    if (left(op).count() > 0) return {};
    return make_error(Code::unavailable, fmt::format("{} says nothing any more", address.text()));
  }
  // Called before each time the request is sent.
  static int allow_sending(void* self, char*, char*, int, int) {
    auto& collected = *static_cast<Collected*>(self);
    const bool allowed = ++collected.attempts == 1 || collected.safe_to_repeat;
    return allowed ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
  }

 private:
  // What the answer says its body's length is, within bounds; 0 when it does not.
  size_t announced() const {
    curl_off_t length = 0;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return size_t(std::clamp<curl_off_t>(length, 0, kMaxBody));
  }
  bool take(std::string_view part) {
    begun = true;
    heard = clock->now();
    enough = !following->take(part);
    return !enough;
  }
  bool add_header(std::string_view line) {
    header_bytes += line.size();
    too_large = header_bytes > kMaxHeader;
    if (too_large) return false;
    if (line.starts_with("HTTP/")) {
      response.headers.clear();  // what came before was a 1xx answer
      const std::string_view status = trim(line.substr(std::min(line.find(' '), line.size())));
      response.status = 0;
      std::from_chars(status.data(), status.data() + status.size(), response.status);
    }
    const size_t colon = line.find(':');
    if (line.starts_with("HTTP/") || colon == std::string_view::npos) return true;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    response.headers.emplace_back(std::move(name), trim(line.substr(colon + 1)));
    return true;
  }
};

Result<std::unique_ptr<Transfer>> Transfer::open() {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  std::unique_ptr<Transfer> transfer(new Transfer());
  transfer->multi_.reset(curl_multi_init());
  transfer->easy_.reset(curl_easy_init());
  if (initialized != CURLE_OK || !transfer->multi_ || !transfer->easy_)
    return make_error(Code::resource_exhausted, "cannot initialize libcurl");
  // One connection: the one that the next request may reuse.
  curl_multi_setopt(transfer->multi_.get(), CURLMOPT_MAXCONNECTS, 1L);
  return transfer;
}

Result<ClientResponse> Transfer::run(const Op& op, const Address& address, const ClientRequest& request,
                                     const Following* following) {
  TRY(check_request(request));
  Collected collected;
  collected.easy = easy_.get();
  collected.following = following;
  collected.clock = &op.clock();
  collected.safe_to_repeat = is_safe(request.method);
  HeaderList headers;
  const auto add = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  // "Name;" is how libcurl wants a header without value, "Name:" removes its own.
  for (const auto& [name, value] : request.headers)
    add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  if (!names_content_type(request)) add("Content-Type:");
  add("Expect:");  // we do not wait for "100 Continue": bodies are small
  configure(address, request, headers, collected);
  TRY(perform(op, address, collected));
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  collected.response.status = static_cast<int>(status);
  // The handle stays in the pool, the things it points to end here.
  curl_easy_reset(easy_.get());
  return std::move(collected.response);
}

void Transfer::configure(const Address& address, const ClientRequest& request, const HeaderList& headers,
                         Collected& collected) {
  CURL* easy = easy_.get();
  curl_easy_reset(easy);
  const std::string authority = address.is_unix() ? "localhost" : address.text();
  curl_easy_setopt(easy, CURLOPT_URL, ("http://" + authority + request.target).c_str());
  if (address.is_unix()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, address.path.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBytes);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // not even one from the environment
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
    if (has_body) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Collected::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &collected);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Collected::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &collected);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Collected::allow_sending);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &collected);
}

// Returns when the answer is complete. The Op's deadline and stop token end the wait, the latter at once.
Result<> Transfer::perform(const Op& op, const Address& address, const Collected& collected) {
  constexpr Millis kLongestWait{60'000};
  CURLM* multi = multi_.get();
  TRY(op.check(address.text()));
  if (curl_multi_add_handle(multi, easy_.get()) != CURLM_OK)
    return make_error(Code::internal, "libcurl refuses the transfer");
  const auto ended = [&](Result<> result) {
    const Effect effect = anything_sent() ? Effect::unknown : Effect::none;
    curl_multi_remove_handle(multi, easy_.get());
    if (!result) result.error().effect = effect;
    return result;
  };
  const std::stop_callback wake(op.stop(), [multi] { curl_multi_wakeup(multi); });
  for (;;) {
    int running = 0;
    int left = 0;
    if (curl_multi_perform(multi, &running) != CURLM_OK)
      return ended(make_error(Code::internal, "libcurl lost the transfer"));
    if (const CURLMsg* message = curl_multi_info_read(multi, &left); message != nullptr) {
      const CURLcode code = message->data.result;
      const bool done = code == CURLE_OK || collected.enough;
      return ended(done ? Result<>() : translate(code, address, collected));
    }
    if (auto alive = collected.goes_on(op, address); !alive) return ended(std::move(alive));
    const auto wait = std::min(collected.left(op), kLongestWait) + Millis(1);
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait.count()), nullptr);
  }
}

bool Transfer::anything_sent() const {
  long bytes = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

// perform() sets the effect.
Error Transfer::translate(CURLcode code, const Address& address, const Collected& collected) const {
  const std::string where = address.text();
  long number = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &number);
  if (collected.too_large)
    return make_error(Code::resource_exhausted, fmt::format("the answer of {} is too large", where));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return make_error(Code::unavailable,
                        fmt::format("cannot connect to {}: the host name does not resolve", where));
    case CURLE_COULDNT_CONNECT:
      if (number == 0) return make_error(Code::unavailable, fmt::format("cannot connect to {}", where));
      return make_error(
          Code::unavailable,
          errno_error(static_cast<int>(number), fmt::format("cannot connect to {}", where)).message);
    case CURLE_OUT_OF_MEMORY:
      return make_error(Code::resource_exhausted, "libcurl is out of memory");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (!anything_sent())
        return make_error(Code::invalid_argument,
                          fmt::format("{}: the request target is no valid URL", where));
      [[fallthrough]];  // an answer that is no HTTP
    case CURLE_WEIRD_SERVER_REPLY:
      return make_error(Code::corrupt, fmt::format("{} does not answer in HTTP", where));
    case CURLE_OPERATION_TIMEDOUT:
      return make_error(Code::unavailable, fmt::format("cannot connect to {}: no answer", where));
    default:
      return make_error(Code::unavailable, fmt::format("{} closed the connection before it answered ({})",
                                                       where, curl_easy_strerror(code)));
  }
}

}  // namespace volplugin::http
