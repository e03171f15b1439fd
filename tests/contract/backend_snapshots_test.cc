// SPDX-License-Identifier: Apache-2.0
// The contract of backend/snapshots.h, run against every driver that takes snapshots.
#include "backend/snapshots.h"
#include "tests/contract/backend_suite.h"
#include "tests/contract/device_start.h"

#include <atomic>

namespace volplugin::backend {
namespace {

using Texts = std::vector<std::string>;

class BackendSnapshots : public BackendSuite {
 protected:
  Snapshots& snapshots() { return *backend().snapshots(); }
  // Of the image of volume "uid-1"; `number` makes the uid.
  SnapshotKey of(const std::string& name, int number = 1, const std::string& uid = "uid-1") const {
    return {key("tenant.volume", uid), name, fmt::format("{:08x}-0000-4000-8000-000000000000", number)};
  }
  void take(const SnapshotKey& wanted) {
    const auto taken = snapshots().ensure_snapshot(make_op(), wanted);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(*taken, Ensured::created);
  }
  Removed drop(const SnapshotKey& wanted) {
    const auto removed = snapshots().remove_snapshot(make_op(), wanted);
    EXPECT_TRUE(removed) << removed.error().message;
    return removed.value_or(Removed::already_gone);
  }
  // "name uid", oldest first.
  Texts listed() {
    Texts texts;
    const auto found = snapshots().list_snapshots(make_op(), key());
    EXPECT_TRUE(found) << found.error().message;
    if (found)
      for (const auto& snapshot : *found) texts.push_back(snapshot.name + " " + snapshot.uid);
    return texts;
  }
  static std::string text_of(const SnapshotKey& wanted) { return wanted.name + " " + wanted.uid; }
  void write(const Attachment& device, const std::string& text) {
    if (environment_->holds_data()) {
      EXPECT_TRUE(write_at_start(device.device(), text));
    }
  }
  void expect_start(const SnapshotKey& wanted, const std::string& text) {
    if (environment_->holds_data()) {
      EXPECT_EQ(environment_->start_of(wanted), text);
    }
  }
};

TEST_P(BackendSnapshots, TakenOnceHoweverOftenItIsAsked) {
  make(key(), Bytes::mib(8));
  EXPECT_TRUE(listed().empty());
  take(of("nightly"));
  EXPECT_EQ(snapshots().ensure_snapshot(make_op(), of("nightly")), Ensured::already_there);
  environment_->restart();
  EXPECT_EQ(snapshots().ensure_snapshot(make_op(), of("nightly")), Ensured::already_there);
  EXPECT_EQ(listed(), Texts{text_of(of("nightly"))});
  EXPECT_EQ((*snapshots().list_snapshots(make_op(), key()))[0].size, Bytes::mib(8));
}

TEST_P(BackendSnapshots, HoldsWhatWasWrittenBeforeAndNotWhatComesAfter) {
  make(key());
  auto device = attach(key());
  ASSERT_TRUE(device);
  write(*device, "before");
  ASSERT_TRUE(backend().detach(make_op(), key(), std::move(device)));
  take(of("a"));
  device = attach(key());
  ASSERT_TRUE(device);
  write(*device, "after");
  ASSERT_TRUE(backend().detach(make_op(), key(), std::move(device)));
  EXPECT_EQ(snapshots().ensure_snapshot(make_op(), of("a")), Ensured::already_there);
  take(of("b", 2));
  expect_start(of("a"), "before");
  expect_start(of("b", 2), "after");
}

TEST_P(BackendSnapshots, OfAnImageInUseFromAnyHost) {
  make(key());
  auto device = attach(key());
  ASSERT_TRUE(device);
  write(*device, "before");
  Snapshots& there = *environment_->other_host()->snapshots();
  if (!environment_->snapshots_while_attached()) {
    const auto refused = there.ensure_snapshot(make_op(), of("a"));
    EXPECT_EQ(code_of(refused), Code::busy);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_TRUE(listed().empty());
  } else {
    ASSERT_TRUE(there.ensure_snapshot(make_op(), of("a")));
    write(*device, "after");
    take(of("b", 2));
    expect_start(of("a"), "before");
    expect_start(of("b", 2), "after");
    EXPECT_EQ(there.remove_snapshot(make_op(), of("a")), Removed::removed);
    write(*device, "at the end");
  }
  EXPECT_TRUE(attached_here(key())) << "the holder is left alone";
  EXPECT_TRUE(backend().detach(make_op(), key(), std::move(device)));
}

TEST_P(BackendSnapshots, KnownByUidAndListedOldestFirst) {
  make(key());
  take(of("z", 9));
  take(of("z", 5));
  take(of("a.b-c_d", 7));
  EXPECT_EQ(listed(), (Texts{text_of(of("z", 9)), text_of(of("z", 5)), text_of(of("a.b-c_d", 7))}));
  EXPECT_EQ(drop(of("z", 5)), Removed::removed);
  EXPECT_EQ(listed(), (Texts{text_of(of("z", 9)), text_of(of("a.b-c_d", 7))}));
}

TEST_P(BackendSnapshots, RemoveIsIdempotentAndLeavesTheImage) {
  make(key());
  EXPECT_EQ(drop(of("a")), Removed::already_gone);
  take(of("a"));
  environment_->restart();
  EXPECT_EQ(drop(of("a")), Removed::removed);
  EXPECT_EQ(drop(of("a")), Removed::already_gone);
  EXPECT_TRUE(exists(key()));
  EXPECT_TRUE(listed().empty());
}

TEST_P(BackendSnapshots, OneThatIsNeededStays) {
  make(key());
  take(of("a"));
  take(of("b", 2));
  environment_->protect(of("b", 2), true);
  const auto refused = snapshots().remove_snapshot(make_op(), of("b", 2));
  EXPECT_EQ(code_of(refused), Code::busy);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_EQ(code_of(backend().remove(make_op(), key())), Code::busy);
  EXPECT_EQ(listed(), (Texts{text_of(of("a")), text_of(of("b", 2))})) << "all or none";
  environment_->protect(of("b", 2), false);
  EXPECT_EQ(drop(of("b", 2)), Removed::removed);
}

TEST_P(BackendSnapshots, GoWithTheImage) {
  make(key());
  take(of("a"));
  take(of("b", 2));
  EXPECT_EQ(backend().remove(make_op(), key()), Removed::removed);
  EXPECT_FALSE(exists(key()));
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(drop(of("a")), Removed::already_gone);
}

TEST_P(BackendSnapshots, OfAnotherVolumeAreLeftAlone) {
  make(key());
  take(of("a"));
  EXPECT_EQ(code_of(snapshots().ensure_snapshot(make_op(), of("b", 2, "uid-2"))), Code::permission_denied);
  EXPECT_EQ(code_of(snapshots().list_snapshots(make_op(), key("tenant.volume", "uid-2"))),
            Code::permission_denied);
  EXPECT_EQ(drop(of("a", 1, "uid-2")), Removed::already_gone);
  EXPECT_EQ(listed(), Texts{text_of(of("a"))});
}

TEST_P(BackendSnapshots, OfAForeignImageAreRefused) {
  environment_->put_foreign("tenant.volume");
  EXPECT_EQ(code_of(snapshots().ensure_snapshot(make_op(), of("a"))), Code::permission_denied);
  EXPECT_EQ(drop(of("a")), Removed::already_gone);
  EXPECT_TRUE(environment_->foreign_untouched("tenant.volume"));
}

TEST_P(BackendSnapshots, OfNoImage) {
  EXPECT_EQ(code_of(snapshots().ensure_snapshot(make_op(), of("a"))), Code::not_found);
  EXPECT_EQ(drop(of("a")), Removed::already_gone);
  EXPECT_TRUE(listed().empty());
  EXPECT_FALSE(exists(key()));
}

TEST_P(BackendSnapshots, ManyAtOnce) {
  make(key());
  std::atomic<int> created = 0;
  run_threads(6, [&](int number) {
    const auto same = snapshots().ensure_snapshot(make_op(), of("same"));
    EXPECT_TRUE(same) << same.error().message;
    if (same && *same == Ensured::created) ++created;
    const auto own = snapshots().ensure_snapshot(make_op(), of("own", 10 + number));
    EXPECT_TRUE(own) << own.error().message;
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(listed().size(), 7u);
}

TEST_P(BackendSnapshots, NamesAreChecked) {
  SnapshotKey wanted = of("a");
  for (const char* bad : {"", "..", "../x", "-a", "a b"}) {
    wanted.image.pool = bad;
    EXPECT_EQ(code_of(snapshots().ensure_snapshot(make_op(), wanted)), Code::invalid_argument) << bad;
    EXPECT_EQ(code_of(snapshots().remove_snapshot(make_op(), wanted)), Code::invalid_argument) << bad;
    EXPECT_EQ(code_of(snapshots().list_snapshots(make_op(), wanted.image)), Code::invalid_argument) << bad;
  }
}

TEST_P(BackendSnapshots, LongestNames) {
  const ImageKey longest = key(std::string(63, 't') + "." + std::string(63, 'v'));
  make(longest);
  const SnapshotKey wanted{longest, std::string(127, 's'), of("a").uid};
  take(wanted);
  const auto found = snapshots().list_snapshots(make_op(), longest);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].name, wanted.name);
  auto device = attach(longest);  // krbd reads the names of all snapshots
  ASSERT_TRUE(device);
  EXPECT_TRUE(backend().detach(make_op(), longest, std::move(device)));
  EXPECT_EQ(drop(wanted), Removed::removed);
}

TEST_P(BackendSnapshots, ExpiredDeadlineChangesNothing) {
  make(key());
  take(of("a"));
  const auto late = snapshots().ensure_snapshot(make_op(Millis(0)), of("b", 2));
  EXPECT_EQ(code_of(late), Code::deadline_exceeded);
  EXPECT_EQ(late.error().effect, Effect::none);
  EXPECT_EQ(code_of(snapshots().remove_snapshot(make_op(Millis(0)), of("a"))), Code::deadline_exceeded);
  EXPECT_EQ(listed(), Texts{text_of(of("a"))});
}

std::vector<BackendCase> taking_snapshots() {
  auto cases = backend_environments();
  std::erase_if(cases, [](const BackendCase& tested) { return !tested.snapshots; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Drivers, BackendSnapshots, testing::ValuesIn(taking_snapshots()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace volplugin::backend
