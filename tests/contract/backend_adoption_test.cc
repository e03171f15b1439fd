// SPDX-License-Identifier: Apache-2.0
// The contract of backend/adoption.h, run against every driver that can adopt images.
#include "backend/adoption.h"
#include "backend/fencing.h"
#include "tests/contract/backend_suite.h"
#include "tests/contract/device_start.h"

#include <atomic>

namespace volplugin::backend {
namespace {

class BackendAdoption : public BackendSuite {
 protected:
  static constexpr Bytes kForeignSize = Bytes::mib(3);  // of put_foreign()

  Adoption& adoption() { return *backend().adoption(); }
  ImageKey of(const std::string& uid) const { return key("tenant.volume", uid); }

  FoundImage find() {
    const auto found = adoption().find_image(make_op(), of("uid-9"));
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(FoundImage{});
  }
  void adopt(const std::string& uid) {
    const auto adopted = adoption().adopt(make_op(), of(uid), find());
    ASSERT_TRUE(adopted) << adopted.error().message;
  }
  void release(const std::string& uid) {
    const auto released = adoption().release(make_op(), of(uid));
    ASSERT_TRUE(released) << released.error().message;
  }
  std::string owner() { return (*backend().inspect(make_op(), of("uid-9")))->uid; }

  // What a program writes to the image, where devices hold data.
  void write(const std::string& uid, const std::string& text) {
    auto device = attach(of(uid));
    ASSERT_TRUE(device);
    if (environment_->holds_data()) {
      EXPECT_TRUE(write_at_start(device->device(), text));
    }
    EXPECT_TRUE(backend().detach(make_op(), of(uid), std::move(device)));
  }
  void expect_content(const std::string& uid, const std::string& text) {
    auto device = attach(of(uid));
    ASSERT_TRUE(device);
    if (environment_->holds_data()) {
      EXPECT_EQ(read_at_start(device->device()), text);
    }
    EXPECT_TRUE(backend().detach(make_op(), of(uid), std::move(device)));
  }
};

TEST_P(BackendAdoption, ForeignImageBecomesTheVolumes) {
  environment_->put_foreign("tenant.volume");
  const auto found = find();
  EXPECT_EQ(found.owner, "");
  EXPECT_FALSE(found.made);
  EXPECT_EQ(found.size, kForeignSize);
  EXPECT_FALSE(found.id.empty());
  adopt("uid-1");
  const auto info = *backend().inspect(make_op(), of("uid-1"));
  EXPECT_EQ(info->uid, "uid-1");
  EXPECT_EQ(info->size, kForeignSize);
  EXPECT_EQ(listed(), std::vector<std::string>{"tenant.volume"});
  write("uid-1", "new");
  expect_content("uid-1", "new");
  EXPECT_EQ(backend().remove(make_op(), of("uid-1")), Removed::removed);
}

TEST_P(BackendAdoption, ImageOfAnotherVolumeKeepsItsDataAndIsThatOnesNoMore) {
  make(of("uid-1"));
  write("uid-1", "before");
  const auto found = find();
  EXPECT_EQ(found.owner, "uid-1");
  EXPECT_TRUE(found.made);
  adopt("uid-2");
  expect_content("uid-2", "before");
  EXPECT_EQ(code_of(backend().attach(make_op(), of("uid-1"))), Code::permission_denied);
  EXPECT_EQ(code_of(backend().remove(make_op(), of("uid-1"))), Code::permission_denied);
  EXPECT_EQ(backend().remove(make_op(), of("uid-2")), Removed::removed);
}

TEST_P(BackendAdoption, LookingChangesNothing) {
  environment_->put_foreign("tenant.volume");
  find();
  const auto start = adoption().read(make_op(), of("uid-1"), Bytes{}, Bytes::mib(1));
  ASSERT_TRUE(start) << start.error().message;
  EXPECT_EQ(start->size(), Bytes::mib(1).count);
  const auto end = adoption().read(make_op(), of("uid-1"), Bytes{kForeignSize.count - 5}, Bytes::mib(1));
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->size(), 5u);
  EXPECT_TRUE(environment_->foreign_untouched("tenant.volume"));
  EXPECT_TRUE(listed().empty());
}

TEST_P(BackendAdoption, ReadsWhatIsWritten) {
  if (!environment_->holds_data()) GTEST_SKIP() << "NOT RUN: simulated devices hold no data";
  make(of("uid-1"));
  write("uid-1", "before");
  EXPECT_TRUE(adoption().read(make_op(), of("uid-2"), Bytes{}, Bytes{512})->starts_with("before"));
  EXPECT_TRUE(adoption().read(make_op(), of("uid-2"), Bytes{3}, Bytes{512})->starts_with("ore"));
}

TEST_P(BackendAdoption, AdoptIsIdempotentAlsoForAnotherProcessAndWhileAttached) {
  environment_->put_foreign("tenant.volume");
  const auto found = find();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(adoption().adopt(make_op(), of("uid-1"), found));
  auto device = attach(of("uid-1"));
  environment_->restart();
  EXPECT_TRUE(adoption().adopt(make_op(), of("uid-1"), found));
  EXPECT_TRUE(attached_here(of("uid-1")));
  if (environment_->holds_data()) {
    EXPECT_TRUE(write_at_start(device->device(), "still there"));
  }
  EXPECT_TRUE(backend().detach(make_op(), of("uid-1"), std::move(device)));
}

TEST_P(BackendAdoption, ReleaseGivesAForeignImageBack) {
  environment_->put_foreign("tenant.volume");
  adopt("uid-1");
  for (int i = 0; i < 2; ++i) release("uid-1");
  EXPECT_TRUE(environment_->foreign_untouched("tenant.volume"));
  EXPECT_EQ(owner(), "");
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(code_of(backend().attach(make_op(), of("uid-1"))), Code::permission_denied);
  adopt("uid-2");
  EXPECT_EQ(owner(), "uid-2");
}

TEST_P(BackendAdoption, ReleaseGivesAnImageBackToTheVolumeThatHadIt) {
  make(of("uid-1"));
  write("uid-1", "before");
  adopt("uid-2");
  environment_->restart();
  release("uid-2");
  EXPECT_EQ(owner(), "uid-1");
  EXPECT_TRUE(find().made);
  expect_content("uid-1", "before");
}

TEST_P(BackendAdoption, WhoMadeAnImageIsKnownForGood) {
  environment_->put_foreign("tenant.volume");
  adopt("uid-1");
  EXPECT_FALSE(find().made);
  adopt("uid-2");
  EXPECT_FALSE(find().made);
  release("uid-2");
  EXPECT_EQ(owner(), "uid-1");
  EXPECT_FALSE(find().made);
}

TEST_P(BackendAdoption, ReleaseOfWhatWasNotAdopted) {
  EXPECT_TRUE(adoption().release(make_op(), of("uid-1"))) << "there is no image";
  make(of("uid-1"));
  EXPECT_TRUE(adoption().release(make_op(), of("uid-2"))) << "it is another volume's";
  EXPECT_EQ(code_of(adoption().release(make_op(), of("uid-1"))), Code::conflict);
  EXPECT_EQ(owner(), "uid-1");
}

TEST_P(BackendAdoption, RefusesWhatIsNotThere) {
  EXPECT_EQ(code_of(adoption().find_image(make_op(), of("uid-1"))), Code::not_found);
  EXPECT_EQ(code_of(adoption().read(make_op(), of("uid-1"), Bytes{}, Bytes{1})), Code::not_found);
  EXPECT_EQ(code_of(adoption().adopt(make_op(), of("uid-1"), FoundImage{})), Code::not_found);
}

TEST_P(BackendAdoption, RefusesWhatIsNotWhatWasFound) {
  environment_->put_foreign("tenant.volume");
  const auto found = find();
  adopt("uid-1");
  EXPECT_EQ(code_of(adoption().adopt(make_op(), of("uid-2"), found)), Code::conflict);
  EXPECT_EQ(owner(), "uid-1");
  ASSERT_TRUE(backend().remove(make_op(), of("uid-1")));
  environment_->put_foreign("tenant.volume");
  EXPECT_EQ(code_of(adoption().adopt(make_op(), of("uid-2"), found)), Code::conflict) << "another image";
  EXPECT_EQ(owner(), "");
}

TEST_P(BackendAdoption, RefusesAnImageThatAHostHasAttachedAndNamesTheHost) {
  make(of("uid-1"));
  const auto found = find();
  Backend& there = *environment_->other_host();
  auto device = there.attach(make_op(), of("uid-1"));
  ASSERT_TRUE(device) << device.error().message;
  for (const auto& refused : {Result<>(adoption().find_image(make_op(), of("uid-2")).error()),
                              adoption().adopt(make_op(), of("uid-2"), found)}) {
    EXPECT_EQ(code_of(refused), Code::busy);
    EXPECT_TRUE(refused.error().message.contains(environment_->other_host_name())) << refused.error().message;
    EXPECT_EQ(refused.error().effect, Effect::none);
  }
  EXPECT_EQ(owner(), "uid-1");
  ASSERT_TRUE(there.detach(make_op(), of("uid-1"), std::move(*device)));
  adopt("uid-2");
}

TEST_P(BackendAdoption, FenceOfAnEarlierVolumeEnds) {
  make(of("uid-1"));
  ASSERT_TRUE(
      environment_->other_host()->fencing()->fence(make_op(), of("uid-1"), environment_->host_name()));
  adopt("uid-2");
  EXPECT_TRUE(attach(of("uid-2")));
}

TEST_P(BackendAdoption, OneOfManyGetsIt) {
  environment_->put_foreign("tenant.volume");
  const auto found = find();
  std::atomic<int> got = 0;
  run_threads(4, [&](int number) {
    auto& who = number % 2 == 0 ? adoption() : *environment_->other_host()->adoption();
    if (who.adopt(make_op(), of(fmt::format("uid-{}", number)), found)) ++got;
  });
  EXPECT_EQ(got, 1);
  EXPECT_FALSE(owner().empty());
}

TEST_P(BackendAdoption, PoolNamesAreChecked) {
  ImageKey image = of("uid-1");
  for (const char* bad : {"", "..", "../x", "-a", "a b"}) {
    image.pool = bad;
    EXPECT_EQ(code_of(adoption().find_image(make_op(), image)), Code::invalid_argument) << bad;
    EXPECT_EQ(code_of(adoption().adopt(make_op(), image, {})), Code::invalid_argument) << bad;
    EXPECT_EQ(code_of(adoption().release(make_op(), image)), Code::invalid_argument) << bad;
  }
}

TEST_P(BackendAdoption, ExpiredDeadlineChangesNothing) {
  environment_->put_foreign("tenant.volume");
  const auto found = find();
  const auto late = adoption().adopt(make_op(Millis(0)), of("uid-1"), found);
  EXPECT_EQ(code_of(late), Code::deadline_exceeded);
  EXPECT_EQ(late.error().effect, Effect::none);
  EXPECT_EQ(code_of(adoption().find_image(make_op(Millis(0)), of("uid-1"))), Code::deadline_exceeded);
  EXPECT_TRUE(environment_->foreign_untouched("tenant.volume"));
}

std::vector<BackendCase> adopting() {
  auto cases = backend_environments();
  std::erase_if(cases, [](const BackendCase& tested) { return !tested.adopts; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Drivers, BackendAdoption, testing::ValuesIn(adopting()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace volplugin::backend
