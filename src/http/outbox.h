// SPDX-License-Identifier: Apache-2.0
// Outbox: what waits to be written to the listener of one Stream. Any thread adds, the I/O thread takes;
// nobody blocks. Bounded by bytes, those that are being written included: a listener that does not read is
// refused more, which closes it.
//   open --too much, or close()--> closed
//     '--end()--> ending --everything was taken--> closed by its session
#pragma once

#include "http/server.h"

#include <deque>
#include <mutex>
#include <vector>

namespace volplugin::http {

class Outbox {
 public:
  explicit Outbox(size_t max_bytes) : max_bytes_(max_bytes) {}

  enum class Added {
    wake,      // the session does not look here by itself: tell it
    waits,     // it will
    overflow,  // too much: closed now, tell the session
    refused,   // closed or ending
  };
  Added add(Stream::Text text);
  // True: tell the session. Nothing is added any more.
  bool end();
  void close();
  bool is_open() const;

  struct Batch {
    std::vector<Stream::Text> texts;  // some 64 KiB of them; none: tell the session when there are more
    bool last = false;                // none, and there will be no more
  };
  // Counts what the batch before it held as written.
  Batch take();

 private:
  const size_t max_bytes_;
  mutable std::mutex mutex_;
  std::deque<Stream::Text> texts_;
  size_t bytes_ = 0;    // of texts_ and of what is being written
  size_t writing_ = 0;  // of the last batch
  bool awake_ = false;  // the session takes until it finds nothing
  bool ending_ = false;
  bool closed_ = false;
};

}  // namespace volplugin::http
