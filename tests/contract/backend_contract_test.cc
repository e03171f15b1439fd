// SPDX-License-Identifier: Apache-2.0
// The contract of backend/backend.h, run against every driver.
#include "os/block_device.h"
#include "os/scratch.h"
#include "tests/contract/backend_suite.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <unistd.h>

namespace volplugin::backend {
namespace {

class BackendContract : public BackendSuite {};

using Names = std::vector<std::string>;

// --- ensure and remove ---

TEST_P(BackendContract, EnsureIsIdempotent) {
  const auto first = backend().ensure(make_op(), key(), Bytes::mib(8));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->what, Ensured::created);
  EXPECT_EQ(first->size, Bytes::mib(8));
  environment_->restart();
  const auto again = backend().ensure(make_op(), key(), Bytes::mib(8));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->what, Ensured::already_there);
  EXPECT_EQ(again->size, Bytes::mib(8));
  EXPECT_EQ(listed(), Names{"tenant.volume"});
}

TEST_P(BackendContract, EnsureWithOtherParametersChangesNothing) {
  make(key());
  EXPECT_EQ(code_of(backend().ensure(make_op(), key(), Bytes::mib(16))), Code::already_exists);
  EXPECT_EQ(code_of(backend().ensure(make_op(), key("tenant.volume", "uid-2"), Bytes::mib(8))),
            Code::already_exists);
  const auto info = *backend().inspect(make_op(), key());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->uid, "uid-1");
  EXPECT_EQ(info->size, Bytes::mib(8));
}

TEST_P(BackendContract, SizesAreExactAfterRounding) {
  const Traits& traits = backend().traits();
  const auto size_of = [&](const std::string& name, Bytes asked) {
    const auto made = backend().ensure(make_op(), key(name), asked);
    EXPECT_TRUE(made);
    EXPECT_EQ(made->size, (*backend().inspect(make_op(), key(name)))->size);
    const auto again = backend().ensure(make_op(), key(name), made->size);
    EXPECT_TRUE(again && again->what == Ensured::already_there);
    return made->size;
  };
  EXPECT_EQ(size_of("a.zero", Bytes{0}), traits.min_size);
  EXPECT_EQ(size_of("a.min", traits.min_size), traits.min_size);
  const Bytes odd{traits.min_size.count * 3 + 1};
  EXPECT_EQ(size_of("a.odd", odd), round_up(odd, traits.granularity));
  EXPECT_EQ(code_of(backend().ensure(make_op(), key("a.endless"), Bytes{~std::uint64_t{0}})),
            Code::invalid_argument);
  EXPECT_FALSE(exists(key("a.endless")));
}

TEST_P(BackendContract, RemoveIsIdempotent) {
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::already_gone);
  make(key());
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::removed);
  EXPECT_FALSE(exists(key()));
  environment_->restart();
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::already_gone);
  EXPECT_EQ(backend().ensure(make_op(), key("tenant.volume", "uid-2"), Bytes::mib(16))->what,
            Ensured::created);
}

TEST_P(BackendContract, ForeignDataIsNeverTouched) {
  environment_->put_foreign("tenant.volume");
  EXPECT_EQ(code_of(backend().ensure(make_op(), key(), Bytes::mib(3))), Code::already_exists);
  EXPECT_EQ(code_of(backend().remove(make_op(), key())), Code::permission_denied);
  EXPECT_EQ(code_of(backend().attach(make_op(), key())), Code::permission_denied);
  EXPECT_FALSE(attached_here(key()));
  EXPECT_TRUE(backend().detach(make_op(), key(), nullptr));
  EXPECT_EQ(listed(), Names{});
  const auto info = *backend().inspect(make_op(), key());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->uid, "");
  EXPECT_TRUE(environment_->foreign_untouched("tenant.volume"));
}

TEST_P(BackendContract, AnotherVolumesImageIsRefused) {
  make(key());
  const ImageKey other = key("tenant.volume", "uid-2");
  EXPECT_EQ(code_of(backend().remove(make_op(), other)), Code::permission_denied);
  EXPECT_EQ(code_of(backend().attach(make_op(), other)), Code::permission_denied);
  const auto attachment = attach(key());
  EXPECT_FALSE(attached_here(other));
  EXPECT_EQ((*backend().inspect(make_op(), other))->uid, "uid-1");
  EXPECT_TRUE(exists(key()));
}

TEST_P(BackendContract, ListShowsOursOnly) {
  EXPECT_EQ(listed(), Names{});
  make(key("a.one", "uid-1"));
  make(key("b.two", "uid-2"), Bytes::mib(4));
  environment_->put_foreign("c.foreign");
  EXPECT_EQ(listed(), (Names{"a.one", "b.two"}));
  const auto images = *backend().list(make_op(), environment_->pool());
  for (const ImageInfo& image : images) {
    EXPECT_EQ(image.uid, image.image == "a.one" ? "uid-1" : "uid-2");
    EXPECT_EQ(image.size, image.image == "a.one" ? Bytes::mib(8) : Bytes::mib(4));
  }
  EXPECT_TRUE(backend().list(make_op(), "another-pool")->empty());
}

TEST_P(BackendContract, PoolsAreSeparate) {
  make(key());
  ImageKey elsewhere = key();
  elsewhere.pool = "another-pool";
  EXPECT_FALSE(exists(elsewhere));
  EXPECT_EQ(backend().ensure(make_op(), elsewhere, Bytes::mib(2))->what, Ensured::created);
  EXPECT_EQ(*backend().remove(make_op(), elsewhere), Removed::removed);
  EXPECT_TRUE(exists(key()));
}

TEST_P(BackendContract, FullPoolRefusesAndSaysHowMuchIsFree) {
  const PoolInfo before = *backend().inspect_pool(make_op(), environment_->pool());
  ASSERT_GT(before.available, Bytes{});
  EXPECT_LE(before.available, before.total);
  const auto refused = backend().ensure(make_op(), key(), Bytes{before.total.count + (1 << 20)});
  EXPECT_EQ(code_of(refused), Code::resource_exhausted);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_NE(refused.error().message.find("free"), std::string::npos);
  EXPECT_FALSE(exists(key()));
  if (environment_->overcommits()) return;
  // Promised space is gone although nothing is written.
  const Bytes most{before.available.count / 10 * 6};
  make(key("a.first"), most);
  EXPECT_LT(backend().inspect_pool(make_op(), environment_->pool())->available, most);
  EXPECT_EQ(code_of(backend().ensure(make_op(), key("a.second"), most)), Code::resource_exhausted);
  EXPECT_EQ(*backend().remove(make_op(), key("a.first")), Removed::removed);
  make(key("a.second"), most);
}

// --- attach and detach ---

TEST_P(BackendContract, AttachTwiceGivesTheSameDevice) {
  make(key());
  EXPECT_FALSE(attached_here(key()));
  auto first = attach(key());
  auto second = attach(key());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->device(), second->device());
  EXPECT_TRUE(attached_here(key()));
  make(key("tenant.other"));
  const auto other = attach(key("tenant.other"));
  EXPECT_NE(other->device(), first->device());
  first.reset();
  EXPECT_TRUE(backend().detach(make_op(), key(), std::move(second)));
  EXPECT_FALSE(attached_here(key()));
}

TEST_P(BackendContract, DetachIsIdempotent) {
  make(key());
  EXPECT_TRUE(backend().detach(make_op(), key(), nullptr));
  EXPECT_TRUE(backend().detach(make_op(), key(), attach(key())));
  EXPECT_FALSE(attached_here(key()));
  EXPECT_TRUE(backend().detach(make_op(), key(), nullptr));
  EXPECT_TRUE(backend().detach(make_op(), key("no.such"), nullptr));
}

TEST_P(BackendContract, AttachOfNothingIsNotFound) {
  EXPECT_EQ(code_of(backend().attach(make_op(), key())), Code::not_found);
  EXPECT_FALSE(attached_here(key()));
}

TEST_P(BackendContract, AttachedImageIsNotRemoved) {
  make(key());
  auto attachment = attach(key());
  EXPECT_EQ(code_of(backend().remove(make_op(), key())), Code::busy);
  EXPECT_TRUE(exists(key()));
  EXPECT_TRUE(backend().detach(make_op(), key(), std::move(attachment)));
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::removed);
}

TEST_P(BackendContract, MountedDeviceSurvivesTheProcess) {
  make(key());
  auto attachment = attach(key());
  const std::string device = attachment->device();
  const auto mounted = environment_->use_elsewhere(device);
  attachment.reset();  // died without detaching
  environment_->restart();
  EXPECT_TRUE(attached_here(key()));
  EXPECT_EQ(code_of(backend().remove(make_op(), key())), Code::busy);
  attachment = attach(key());
  ASSERT_TRUE(attachment);
  EXPECT_EQ(attachment->device(), device);
}

TEST_P(BackendContract, UnmountedDeviceOfADeadProcessIsInNobodysWay) {
  make(key());
  attach(key()).reset();
  environment_->restart();
  if (!environment_->devices_end_with_their_process()) {
    EXPECT_TRUE(attached_here(key()));
    EXPECT_TRUE(attach(key()));
    ASSERT_TRUE(backend().detach(make_op(), key(), nullptr));
  }
  EXPECT_TRUE(os::wait_until([&] { return !attached_here(key()); }));
  const auto attachment = attach(key());
  EXPECT_TRUE(attachment);
}

TEST_P(BackendContract, DetachOfAMountedDeviceIsBusy) {
  make(key());
  auto attachment = attach(key());
  const std::string device = attachment->device();
  auto mounted = environment_->use_elsewhere(device);
  // At once, not after waiting for the user to go away.
  const auto refused = backend().detach(make_op(Millis(2000)), key(), std::move(attachment));
  EXPECT_EQ(code_of(refused), Code::busy);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_EQ(code_of(backend().detach(make_op(), key(), nullptr)), Code::busy);
  attachment = attach(key());
  EXPECT_EQ(attachment->device(), device);
  mounted.reset();
  // A mount ends a moment after its process.
  std::optional<Result<>> detached;
  EXPECT_TRUE(os::wait_until([&] {
    detached = backend().detach(make_op(), key(), std::move(attachment));
    return detached->has_value() || detached->error().code != Code::busy;
  }));
  EXPECT_TRUE(*detached) << detached->error().message;
  EXPECT_FALSE(attached_here(key()));
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::removed);
}

TEST_P(BackendContract, FreshImageIsBlankAndKeepsWhatIsWritten) {
  if (!environment_->holds_data()) GTEST_SKIP() << "devices of this driver hold no data";
  make(key());
  auto attachment = attach(key());
  EXPECT_EQ(*os::device_size(attachment->device()), Bytes::mib(8));
  EXPECT_TRUE(os::probe(attachment->device())->blank);
  if (environment_->zeroed()) {
    const std::string content = *os::read_file(attachment->device(), Bytes::mib(8));
    EXPECT_EQ(content.find_first_not_of('\0'), std::string::npos);
  }
  {
    const os::FileDescriptor device = *os::open_file(attachment->device(), O_RDWR);
    ASSERT_EQ(::pwrite(device.get(), "written", 7, (8 << 20) - 7), 7);
    ASSERT_EQ(::fsync(device.get()), 0);
  }
  EXPECT_GT((*backend().inspect(make_op(), key()))->used, Bytes{});
  ASSERT_TRUE(backend().detach(make_op(), key(), std::move(attachment)));
  environment_->restart();
  attachment = attach(key());
  EXPECT_TRUE(os::read_file(attachment->device(), Bytes::mib(8))->ends_with("written"));
}

TEST_P(BackendContract, RemovedAndMadeAgainIsBlank) {
  if (!environment_->holds_data()) GTEST_SKIP() << "devices of this driver hold no data";
  make(key());
  auto attachment = attach(key());
  {
    const os::FileDescriptor device = *os::open_file(attachment->device(), O_RDWR);
    ASSERT_EQ(::pwrite(device.get(), "secret", 6, 0), 6);
  }
  ASSERT_TRUE(backend().detach(make_op(), key(), std::move(attachment)));
  ASSERT_TRUE(backend().remove(make_op(), key()));
  make(key());
  attachment = attach(key());
  EXPECT_TRUE(os::probe(attachment->device())->blank);
}

TEST_P(BackendContract, OtherHostsSeeTheSameImages) {
  Backend* other = environment_->other_host();
  if (other == nullptr) GTEST_SKIP() << "local to one host, or no second one can be had here";
  ASSERT_EQ(backend().traits().scope, Scope::cluster);
  make(key());
  EXPECT_EQ(other->ensure(make_op(), key(), Bytes::mib(8))->what, Ensured::already_there);
  auto there = other->attach(make_op(), key());
  ASSERT_TRUE(there);
  EXPECT_FALSE(attached_here(key()));
  EXPECT_EQ(code_of(backend().remove(make_op(), key())), Code::busy);
  EXPECT_TRUE(other->detach(make_op(), key(), std::move(*there)));
  EXPECT_EQ(*backend().remove(make_op(), key()), Removed::removed);
  EXPECT_FALSE(other->inspect(make_op(), key())->has_value());
}

// --- concurrency ---

TEST_P(BackendContract, ConcurrentEnsureOfOneImageMakesOne) {
  std::atomic<int> created = 0, present = 0;
  run_threads(16, [&](int) {
    const auto made = backend().ensure(make_op(), key(), Bytes::mib(8));
    ASSERT_TRUE(made) << made.error().message;
    ++(made->what == Ensured::created ? created : present);
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(present, 15);
}

TEST_P(BackendContract, ConcurrentEnsureOfDifferentOwnersLetsOneWin) {
  std::atomic<int> created = 0, refused = 0;
  run_threads(8, [&](int i) {
    const auto made =
        backend().ensure(make_op(), key("tenant.volume", fmt::format("uid-{}", i)), Bytes::mib(8));
    ++(made ? created : refused);
    if (!made) {
      EXPECT_EQ(made.error().code, Code::already_exists) << made.error().message;
    }
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(refused, 7);
}

TEST_P(BackendContract, HundredDifferentVolumesInParallel) {
  std::atomic<int> good = 0;
  const int each = environment_->affordable(10);
  run_threads(10, [&](int thread) {
    for (int i = 0; i < each; ++i) {
      const ImageKey mine = key(fmt::format("t{}.v{}", thread, i), fmt::format("uid-{}-{}", thread, i));
      make(mine, Bytes::mib(2));
      auto attachment = attach(mine);
      ASSERT_TRUE(attachment);
      const auto detached = backend().detach(make_op(), mine, std::move(attachment));
      ASSERT_TRUE(detached) << detached.error().message;
      if (i % 2 == 0) {
        const auto removed = backend().remove(make_op(), mine);
        ASSERT_TRUE(removed) << removed.error().message;
      }
      ++good;
    }
  });
  EXPECT_EQ(good, 10 * each);
  EXPECT_EQ(listed().size(), size_t(5 * each));
}

TEST_P(BackendContract, ConcurrentAttachGivesOneDevice) {
  make(key());
  std::vector<std::unique_ptr<Attachment>> attachments(8);
  run_threads(8, [&](int i) { attachments[size_t(i)] = attach(key()); });
  for (const auto& attachment : attachments) {
    ASSERT_TRUE(attachment);
    EXPECT_EQ(attachment->device(), attachments[0]->device());
  }
}

TEST_P(BackendContract, ListingWhileChangingMissesNothingThatStays) {
  make(key("stay.one"));
  make(key("stay.two"));
  std::jthread changer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const ImageKey passing = key(fmt::format("pass.{}", i % 7));
      EXPECT_TRUE(backend().ensure(make_op(), passing, Bytes::mib(1)));
      EXPECT_TRUE(backend().remove(make_op(), passing));
    }
  });
  for (int round = 0; round < environment_->affordable(200); ++round) {
    const Names names = listed();
    EXPECT_EQ(std::ranges::count(names, "stay.one"), 1);
    EXPECT_EQ(std::ranges::count(names, "stay.two"), 1);
  }
}

// --- limits, deadlines, abilities ---

// Every blocking call with `op`, and what the contract says of all: refused with `expected`.
void expect_all_refused(Backend& backend, const Op& op, const ImageKey& key, Code expected) {
  EXPECT_EQ(code_of(backend.ensure(op, key, Bytes::mib(4))), expected);
  EXPECT_EQ(code_of(backend.remove(op, key)), expected);
  EXPECT_EQ(code_of(backend.inspect(op, key)), expected);
  EXPECT_EQ(code_of(backend.list(op, key.pool)), expected);
  EXPECT_EQ(code_of(backend.inspect_pool(op, key.pool)), expected);
  EXPECT_EQ(code_of(backend.attach(op, key)), expected);
  EXPECT_EQ(code_of(backend.attached_here(op, key)), expected);
  EXPECT_EQ(code_of(backend.detach(op, key, nullptr)), expected);
}

TEST_P(BackendContract, ExpiredDeadlineDoesNothing) {
  make(key());
  expect_all_refused(backend(), make_op(Millis(0)), key(), Code::deadline_exceeded);
  expect_all_refused(backend(), make_op(Millis(0)), key("not.there"), Code::deadline_exceeded);
  EXPECT_EQ(listed(), Names{"tenant.volume"});
  EXPECT_FALSE(attached_here(key()));
}

TEST_P(BackendContract, CancelledOpDoesNothing) {
  make(key());
  std::stop_source source;
  source.request_stop();
  const Op cancelled = make_op(Millis(60'000), source.get_token());
  expect_all_refused(backend(), cancelled, key(), Code::cancelled);
  expect_all_refused(backend(), cancelled, key("not.there"), Code::cancelled);
  EXPECT_EQ(listed(), Names{"tenant.volume"});
  EXPECT_FALSE(attached_here(key()));
}

TEST_P(BackendContract, PoolNamesAreChecked) {
  for (const std::string& good : {std::string("p"), std::string("9"), std::string("A_b.c-d"),
                                  environment_->pool(), std::string(32, 'x')})
    EXPECT_TRUE(backend().validate_pool(good)) << good;
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."),
        std::string(environment_->pools_have_parts() ? "a/b/c" : "a/b"), std::string("../x"),
        std::string("-a"), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\xC3\xA9"), std::string(300, 'x')}) {
    EXPECT_EQ(code_of(backend().validate_pool(bad)), Code::invalid_argument) << bad;
    ImageKey image = key();
    image.pool = bad;
    expect_all_refused(backend(), make_op(), image, Code::invalid_argument);
  }
}

TEST_P(BackendContract, LongestNamesWork) {
  // Names of tenants and volumes have 63 characters at most.
  const ImageKey longest = key(std::string(63, 't') + "." + std::string(63, 'v'), std::string(36, 'u'));
  make(longest);
  EXPECT_EQ(listed(), Names{longest.image});
  EXPECT_EQ((*backend().inspect(make_op(), longest))->uid, longest.uid);
  EXPECT_TRUE(attach(longest));
}

TEST_P(BackendContract, TraitsAreTrue) {
  const Traits& traits = backend().traits();
  EXPECT_FALSE(traits.name.empty());
  EXPECT_GT(traits.granularity, Bytes{});
  EXPECT_EQ(traits.min_size.count % traits.granularity.count, 0u);
  EXPECT_GE(traits.granularity, Bytes{4096}) << "file systems here have blocks of 4096 bytes";
  EXPECT_EQ(traits.snapshots, backend().snapshots() != nullptr);
  EXPECT_EQ(GetParam().snapshots, traits.snapshots) << "its case in the table says otherwise";
  EXPECT_EQ(GetParam().fences, backend().fencing() != nullptr) << "its case in the table says otherwise";
  EXPECT_EQ(GetParam().adopts, backend().adoption() != nullptr) << "its case in the table says otherwise";
  EXPECT_FALSE(traits.grow) << "no driver has it yet; its interface comes with the first";
}

INSTANTIATE_TEST_SUITE_P(Drivers, BackendContract, testing::ValuesIn(backend_environments()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace volplugin::backend
