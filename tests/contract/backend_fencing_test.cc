// SPDX-License-Identifier: Apache-2.0
// The contract of backend/fencing.h, run against every driver that can cut a host off.
#include "backend/fencing.h"
#include "os/scratch.h"
#include "tests/contract/backend_suite.h"
#include "tests/contract/device_start.h"

#include <atomic>
#include <stdexcept>

namespace volplugin::backend {
namespace {

// "here" is the host that gets cut off, "there" the one that takes over and gives the orders.
class BackendFencing : public BackendSuite {
 protected:
  void SetUp() override {
    BackendSuite::SetUp();
    if (IsSkipped()) return;
    ASSERT_NE(there().fencing(), nullptr);
  }

  Backend& there() { return *environment_->other_host(); }
  std::string here_name() const { return environment_->host_name(); }
  Fencing& fencing() { return *there().fencing(); }

  void fence(const ImageKey& image) {
    const auto fenced = fencing().fence(make_op(), image, here_name());
    ASSERT_TRUE(fenced) << fenced.error().message;
  }
  void lift(const ImageKey& image) {
    const auto lifted = fencing().lift(make_op(), image, here_name());
    ASSERT_TRUE(lifted) << lifted.error().message;
  }

  std::unique_ptr<Attachment> attach_here(const ImageKey& image) { return attach_at(backend(), image); }
  std::unique_ptr<Attachment> attach_there(const ImageKey& image) { return attach_at(there(), image); }
  void detach(Backend& from, const ImageKey& image, std::unique_ptr<Attachment> attachment) {
    const auto detached = from.detach(make_op(), image, std::move(attachment));
    ASSERT_TRUE(detached) << detached.error().message;
  }
  void expect_denied(const ImageKey& image) {
    EXPECT_EQ(code_of(backend().attach(make_op(), image)), Code::permission_denied);
    EXPECT_FALSE(attached_here(image));
  }

  bool write_here(const ImageKey& image, const Attachment& device, const std::string& text) {
    return environment_->write(here_name(), image, device.device(), text);
  }
  bool write_there(const ImageKey& image, const Attachment& device, const std::string& text) {
    return environment_->write(environment_->other_host_name(), image, device.device(), text);
  }
  void expect_content(const Attachment& device, const std::string& text) {
    if (!environment_->holds_data()) return;
    EXPECT_EQ(read_at_start(device.device()), text);
  }

 private:
  // Throws, which fails the test: without a device there is nothing to go on with.
  static std::unique_ptr<Attachment> attach_at(Backend& host, const ImageKey& image) {
    auto attached = host.attach(make_op(), image);
    if (!attached) throw std::runtime_error(attached.error().message);
    return std::move(*attached);
  }
};

// --- the host that is cut off ---

TEST_P(BackendFencing, FencedHostWritesNoMore) {
  make(key());
  const auto here = attach_here(key());
  ASSERT_TRUE(write_here(key(), *here, "before"));
  fence(key());
  EXPECT_FALSE(write_here(key(), *here, "after"));
  EXPECT_FALSE(write_here(key(), *here, "once more"));
  expect_content(*attach_there(key()), "before");
}

TEST_P(BackendFencing, DeviceOfAFencedHostStaysUntilItIsDetached) {
  make(key());
  auto here = attach_here(key());
  fence(key());
  {
    const auto found = backend().attached_here(make_op(), key());
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->device(), here->device());
  }
  detach(backend(), key(), std::move(here));
  EXPECT_FALSE(attached_here(key()));
}

TEST_P(BackendFencing, FencedHostAttachesAnewOnlyAfterLift) {
  make(key());
  auto here = attach_here(key());
  fence(key());
  detach(backend(), key(), std::move(here));
  expect_denied(key());
  environment_->restart();
  expect_denied(key());
  lift(key());
  here = attach_here(key());
  EXPECT_TRUE(write_here(key(), *here, "again"));
}

TEST_P(BackendFencing, FenceIsIdempotent) {
  make(key());
  auto here = attach_here(key());
  fence(key());
  fence(key());
  ASSERT_TRUE(backend().fencing()->fence(make_op(), key(), here_name())) << "any host may ask for it";
  EXPECT_FALSE(write_here(key(), *here, "after"));
  detach(backend(), key(), std::move(here));
  fence(key());
  expect_denied(key());
  lift(key());  // once is enough
  EXPECT_TRUE(write_here(key(), *attach_here(key()), "again"));
}

TEST_P(BackendFencing, HostThatNeverHadTheImageIsFencedToo) {
  make(key());
  fence(key());
  expect_denied(key());
  const auto stranger = fencing().fence(make_op(), key(), "a-host-nobody-knows");
  EXPECT_TRUE(stranger) << stranger.error().message;
  auto there_now = attach_there(key());
  EXPECT_TRUE(write_there(key(), *there_now, "there"));
  detach(there(), key(), std::move(there_now));
  lift(key());
  EXPECT_TRUE(fencing().lift(make_op(), key(), "a-host-nobody-knows"));
  EXPECT_TRUE(write_here(key(), *attach_here(key()), "here"));
}

TEST_P(BackendFencing, FenceOfAnUnknownImageIsNotFound) {
  EXPECT_EQ(code_of(fencing().fence(make_op(), key("not.there"), here_name())), Code::not_found);
  make(key());
  const auto here = attach_here(key());
  EXPECT_EQ(code_of(fencing().fence(make_op(), key("tenant.volume", "uid-2"), here_name())), Code::not_found);
  EXPECT_TRUE(write_here(key(), *here, "still")) << "its image is not the one that was meant";
}

// --- lift ---

TEST_P(BackendFencing, LiftWhileAttachedIsBusy) {
  make(key());
  auto here = attach_here(key());
  fence(key());
  for (Fencing* by : {&fencing(), backend().fencing()}) {
    const auto refused = by->lift(make_op(), key(), here_name());
    EXPECT_EQ(code_of(refused), Code::busy);
    EXPECT_EQ(refused.error().effect, Effect::none);
  }
  EXPECT_FALSE(write_here(key(), *here, "after"));
  detach(backend(), key(), std::move(here));
  expect_denied(key());
  lift(key());
  EXPECT_TRUE(write_here(key(), *attach_here(key()), "again"));
}

TEST_P(BackendFencing, LiftIsIdempotent) {
  lift(key("not.there"));
  make(key());
  lift(key());
  fence(key());
  lift(key());
  lift(key());
  const auto here = attach_here(key());
  lift(key());
  EXPECT_TRUE(write_here(key(), *here, "here")) << "there was no fence to lift, and nothing to refuse";
}

TEST_P(BackendFencing, FenceEndsWithTheImage) {
  make(key());
  fence(key());
  ASSERT_TRUE(there().remove(make_op(), key()));
  const ImageKey anew = key("tenant.volume", "uid-2");
  make(anew);
  EXPECT_TRUE(write_here(anew, *attach_here(anew), "new"));
}

// --- the others ---

TEST_P(BackendFencing, AnotherHostTakesOver) {
  make(key());
  auto here = attach_here(key());
  ASSERT_TRUE(write_here(key(), *here, "here"));
  fence(key());
  auto there_now = attach_there(key());
  expect_content(*there_now, "here");
  EXPECT_TRUE(write_there(key(), *there_now, "there"));
  EXPECT_FALSE(write_here(key(), *here, "late"));
  detach(backend(), key(), std::move(here));
  lift(key());
  EXPECT_TRUE(write_there(key(), *there_now, "on and on"));
  expect_content(*there_now, "on and on");
  detach(there(), key(), std::move(there_now));
  const auto back = attach_here(key());
  expect_content(*back, "on and on");
  EXPECT_TRUE(write_here(key(), *back, "back"));
}

TEST_P(BackendFencing, LateFenceOfTheFormerHolderLeavesTheNewOneAlone) {
  make(key());
  auto here = attach_here(key());
  fence(key());
  const auto there_now = attach_there(key());
  EXPECT_TRUE(write_there(key(), *there_now, "one"));
  fence(key());
  EXPECT_TRUE(write_there(key(), *there_now, "two"));
  detach(backend(), key(), std::move(here));
  fence(key());
  EXPECT_TRUE(write_there(key(), *there_now, "three"));
  lift(key());
  fence(key());
  EXPECT_TRUE(write_there(key(), *there_now, "four"));
  expect_content(*there_now, "four");
}

TEST_P(BackendFencing, OtherImagesOfTheHostAreLeftAlone) {
  const ImageKey other = key("tenant.other", "uid-2"), third = key("tenant.third", "uid-3");
  for (const ImageKey& image : {key(), other, third}) make(image);
  const auto here = attach_here(key()), here_too = attach_here(other);
  fence(key());
  EXPECT_FALSE(write_here(key(), *here, "after"));
  EXPECT_TRUE(write_here(other, *here_too, "other"));
  EXPECT_TRUE(write_here(third, *attach_here(third), "third"))
      << "it may attach what it was not cut off from";
}

// --- at the same time ---

TEST_P(BackendFencing, WritesUnderWayDoNotPassTheFence) {
  make(key());
  const auto here = attach_here(key());
  std::atomic<bool> fenced = false, late = false, ended = false;
  std::atomic<int> written = 0;
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 1; !stop.stop_requested(); ++i) {
      const bool began_late = fenced;
      if (!write_here(key(), *here, std::to_string(i))) break;
      late = late || began_late;
      written = i;
    }
    ended = true;
  });
  ASSERT_TRUE(os::wait_until([&] { return written > 3; }));
  fence(key());
  fenced = true;
  const auto there_now = attach_there(key());
  const std::string content = environment_->holds_data() ? read_at_start(there_now->device()) : "";
  EXPECT_TRUE(os::wait_until([&] { return ended.load(); })) << "it writes on";
  EXPECT_FALSE(late);
  expect_content(*there_now, content);
  if (environment_->holds_data()) {
    EXPECT_GE(std::stoi(content), written) << "what was acknowledged is lost";
  }
}

TEST_P(BackendFencing, FenceAgainstAttachLetsOneWin) {
  for (int round = 0; round < environment_->affordable(50); ++round) {
    const ImageKey image = key(fmt::format("tenant.v{}", round), fmt::format("uid-{}", round));
    make(image);
    Result<std::unique_ptr<Attachment>> here(nullptr);
    run_threads(2, [&](int thread) {
      if (thread == 0)
        here = backend().attach(make_op(), image);
      else
        fence(image);
    });
    if (here) {
      EXPECT_FALSE(write_here(image, **here, "after"));
      detach(backend(), image, std::move(*here));
    } else {
      EXPECT_EQ(here.error().code, Code::permission_denied) << here.error().message;
    }
    expect_denied(image);
    EXPECT_TRUE(write_there(image, *attach_there(image), "there"));
  }
}

TEST_P(BackendFencing, FrozenHostComesBackTooLate) {
  make(key());
  const auto here = attach_here(key());
  ASSERT_TRUE(write_here(key(), *here, "before"));
  auto frozen = environment_->freeze(here_name());
  if (frozen == nullptr) GTEST_SKIP() << "a host of this driver cannot be frozen";
  std::atomic<bool> succeeded = true;
  std::jthread writer([&] { succeeded = write_here(key(), *here, "late"); });
  fence(key());
  const auto there_now = attach_there(key());
  expect_content(*there_now, "before");
  EXPECT_TRUE(write_there(key(), *there_now, "there"));
  frozen.reset();
  writer.join();
  EXPECT_FALSE(succeeded);
  EXPECT_FALSE(write_here(key(), *here, "later"));
  expect_content(*there_now, "there");
}

// --- limits ---

TEST_P(BackendFencing, ExpiredDeadlineOrCancelledDoesNothing) {
  make(key());
  auto here = attach_here(key());
  std::stop_source source;
  source.request_stop();
  const auto expect_refused = [&](const ImageKey& image) {
    for (const auto& [op, code] : {std::pair(make_op(Millis(0)), Code::deadline_exceeded),
                                   std::pair(make_op(Millis(60'000), source.get_token()), Code::cancelled)}) {
      EXPECT_EQ(code_of(fencing().fence(op, image, here_name())), code);
      EXPECT_EQ(code_of(fencing().lift(op, image, here_name())), code);
    }
  };
  expect_refused(key());
  expect_refused(key("not.there"));
  EXPECT_TRUE(write_here(key(), *here, "not fenced"));
  fence(key());
  detach(backend(), key(), std::move(here));
  expect_refused(key());
  expect_denied(key());
}

TEST_P(BackendFencing, PoolNamesAreChecked) {
  ImageKey image = key();
  for (const char* bad : {"", "..", "../x", "-a", "a b"}) {
    image.pool = bad;
    EXPECT_EQ(code_of(fencing().fence(make_op(), image, here_name())), Code::invalid_argument) << bad;
    EXPECT_EQ(code_of(fencing().lift(make_op(), image, here_name())), Code::invalid_argument) << bad;
  }
}

std::vector<BackendCase> environments_that_fence() {
  std::vector<BackendCase> cases = backend_environments();
  std::erase_if(cases, [](const BackendCase& one) { return !one.fences; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Drivers, BackendFencing, testing::ValuesIn(environments_that_fence()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace volplugin::backend
