// SPDX-License-Identifier: Apache-2.0
// What the suites that hold storage drivers to their contracts have in common.
#pragma once

#include "tests/contract/backend_contract.h"

#include <algorithm>
#include <functional>
#include <latch>
#include <thread>

#include <gtest/gtest.h>

namespace volplugin::backend {

inline Op make_op(Millis timeout = Millis(60'000), std::stop_token stop = {}) {
  return Op(system_clock(), timeout, "test", "test", std::move(stop));
}

// Read by gtest when it prints a case.
inline void PrintTo(const BackendCase& tested, std::ostream* out) {
  *out << tested.name;
}

template <class T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result) << "succeeded";
  return result ? Code::internal : result.error().code;
}

// Begins them at one moment, and waits for all.
inline void run_threads(int count, const std::function<void(int)>& body) {
  std::latch start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
}

class BackendSuite : public testing::TestWithParam<BackendCase> {
 protected:
  void SetUp() override {
    environment_ = GetParam().make();
    if (const std::string why = environment_->unable(); !why.empty()) GTEST_SKIP() << "NOT RUN: " << why;
  }

  Backend& backend() { return environment_->backend(); }
  ImageKey key(const std::string& image = "tenant.volume", const std::string& uid = "uid-1") const {
    return {environment_->pool(), image, uid};
  }
  void make(const ImageKey& image, Bytes size = Bytes::mib(8)) {
    const auto made = backend().ensure(make_op(), image, size);
    ASSERT_TRUE(made) << made.error().message;
  }
  std::unique_ptr<Attachment> attach(const ImageKey& image) {
    auto attached = backend().attach(make_op(), image);
    EXPECT_TRUE(attached) << attached.error().message;
    return attached ? std::move(*attached) : nullptr;
  }
  bool attached_here(const ImageKey& image) {
    const auto attachment = backend().attached_here(make_op(), image);
    EXPECT_TRUE(attachment) << attachment.error().message;
    return attachment && *attachment;
  }
  bool exists(const ImageKey& image) { return backend().inspect(make_op(), image)->has_value(); }
  std::vector<std::string> listed() {
    std::vector<std::string> names;
    const auto images = backend().list(make_op(), environment_->pool());
    EXPECT_TRUE(images) << images.error().message;
    if (images)
      for (const ImageInfo& image : *images) names.push_back(image.image);
    std::ranges::sort(names);
    return names;
  }

  std::unique_ptr<BackendEnvironment> environment_;
};

}  // namespace volplugin::backend
