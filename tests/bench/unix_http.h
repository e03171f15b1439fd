// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection over a unix socket, kept alive if the server does, as dockerd keeps one to its
// plugin. As thin as it can be, so that what is measured is the server. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace volplugin::bench {

class UnixHttp {
 public:
  // nullopt: nobody listens (yet).
  static std::optional<UnixHttp> connect(const std::string& path);
  UnixHttp(UnixHttp&& other) noexcept;
  UnixHttp& operator=(UnixHttp&&) = delete;
  ~UnixHttp();

  pid_t server() const;                            // the process that listens
  bool kept_alive() const { return kept_alive_; }  // false: the last answer was the last

  // The body of the answer; ends the program when the status is not 2xx or the connection breaks.
  std::string get(std::string_view target) { return exchange("GET", target, ""); }
  std::string put(std::string_view target, std::string_view body) { return exchange("PUT", target, body); }
  std::string post(std::string_view target, std::string_view body) { return exchange("POST", target, body); }
  void erase(std::string_view target) { exchange("DELETE", target, ""); }

 private:
  explicit UnixHttp(int fd) : fd_(fd) {}
  std::string exchange(std::string_view method, std::string_view target, std::string_view body);
  void receive();

  int fd_;
  std::string received_;
  bool kept_alive_ = true;
};

}  // namespace volplugin::bench
