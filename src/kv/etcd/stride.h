// SPDX-License-Identifier: Apache-2.0
// Stride: how far into the keys each request of a walk over them goes.
//
// For a range etcd collects all keys in it, and only then drops those beyond the limit. A walk by a limit
// alone thus costs n/2 keys a page. So each request also has an upper bound, chosen to hold about as many
// keys as are wanted. The keys are not known beforehand; the bound is a short one, a few bytes of the key
// that was read last with the last of them raised ("volumes/a/12" to "volumes/a/14"), and follows from what
// the request before has found:
//   everything in it, and few:   the next one is wider
//   nothing:                     the next one is all that is left of the level above ("volumes/a/" to
//   "volumes/a0") many more than were wanted:  the next one is as wide as what was returned
// So etcd looks at each key a few times, however keys are spread (stride_test.cc counts). Pure; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace volplugin::kv {

class Stride {
 public:
  // Over the keys in [first, end), all of which begin with the first `common` bytes of `first`. Begins with
  // all of them: often few are wanted, and nothing is known of the others yet.
  Stride(std::string first, std::string end, size_t common);

  bool done() const { return from_ >= end_; }
  // What to ask for next, until done(): [from, bound).
  const std::string& from() const { return from_; }
  const std::string& bound() const { return bound_; }

  // The answer: what was returned, and how many keys there are in [from, bound).
  struct Answer {
    std::string_view first, last;  // keys that were returned; of no meaning without any
    std::uint64_t returned = 0;
    bool more = false;  // there are others in [from, bound)
    std::uint64_t count = 0;
    std::uint64_t wanted = 0;  // at most so many were to be returned
  };
  void take(const Answer& answer);

 private:
  void narrow(const Answer& answer);
  void place();

  std::string from_;
  std::string bound_;
  const std::string end_;
  const size_t common_;
  size_t depth_;            // the bound has so many bytes, of from_ but for the last
  unsigned int width_ = 1;  // and that one is higher by so much
  bool rest_ = false;       // [from, bound) is what was left of a level
};

}  // namespace volplugin::kv
