// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about adopting images that exist.
#include "tests/contract/volmaster_contract.h"

namespace volplugin::contract {
namespace {

using backend::SimCall;

constexpr Bytes kSize = Bytes::mib(6);

class VolmasterAdoption : public VolmasterContract {
 protected:
  // The superblock of an ext2, as far as it is looked at.
  static std::string filesystem() {
    std::string content(4096, '\0');
    content[1024 + 56] = '\x53';
    content[1024 + 57] = '\xef';
    return content;
  }
  static backend::ImageKey key(const std::string& uid = "") { return {"pool", "t1.v", uid}; }
  void put(const std::string& content = filesystem()) {
    world_.cluster().put_foreign("host", key(), kSize, content);
  }
  Result<model::Record<model::Volume>> adopt(service::AdoptVolume request = {volume("t1/v"), {}}) {
    return master().adopt_volume(op_for(), request);
  }
  static service::AdoptVolume confirmed() {
    return {.id = volume("t1/v"), .options = {}, .confirmed = service::Confirmed::yes};
  }
  // Whose the image is; empty: nobody's.
  std::string owner() { return world_.cluster().inspect("host", key()).value().uid; }
  std::optional<model::Phase> phase() {
    const auto record = master().get_volume(op_for(), volume("t1/v"));
    return record ? std::optional((*record)->value.phase) : std::nullopt;
  }
  void expect_untouched() {
    EXPECT_EQ(phase(), std::nullopt);
    EXPECT_EQ(owner(), "");
    EXPECT_TRUE(must(master().list_operations(op_for())).empty());
    EXPECT_EQ(must(world_.cluster().read(key(), {}, Bytes{4096})), filesystem());
  }
};

TEST_P(VolmasterAdoption, ImageBecomesAVolume) {
  upload("t1", [](model::Tenant& policy) { policy.defaults.write_bps = 4096; });
  put();
  const auto adopted = must(adopt({volume("t1/v"), {{"ephemeral", "true"}}}));
  const auto read = must(master().get_volume(op_for(), volume("t1/v")));
  EXPECT_EQ(read->revision, adopted->revision);
  const model::Volume& made = read->value;
  EXPECT_EQ(made.phase, model::Phase::ready);
  EXPECT_EQ(made.uid, owner());
  EXPECT_EQ(made.uid.size(), 36U);
  EXPECT_EQ(made.size, kSize);
  EXPECT_EQ(made.options.size, kSize);
  EXPECT_EQ(made.filesystem_type, "ext2");
  EXPECT_EQ(made.options.filesystem, "ext2");
  EXPECT_EQ(made.layout, model::Layout::root);
  EXPECT_EQ(made.options.pool, "pool");
  EXPECT_TRUE(made.options.ephemeral);
  EXPECT_EQ(made.options.rate_limit.write_bps, 4096U);
  EXPECT_FALSE(made.node);
  EXPECT_GT(made.created_at, WallTime{});
  EXPECT_EQ(must(world_.cluster().read(key(), {}, Bytes{4096})), filesystem());
  EXPECT_EQ(storage().makes(), 0);
  EXPECT_FALSE(must(create("t1/v")).created) << "what Docker sends before it mounts";
  must(acquire("t1/v", "n1", "m1"));
}

TEST_P(VolmasterAdoption, LayoutIsWhatIsSaid) {
  upload("t1");
  put();
  EXPECT_EQ(must(adopt({volume("t1/v"), {}, model::Layout::data}))->value.layout, model::Layout::data);
}

TEST_P(VolmasterAdoption, RequestIdIsTheOperationOfTheVolume) {
  upload("t1");
  put();
  const Op op(system_clock(), Millis(20'000), "my-Request_1", "contract");
  EXPECT_EQ(must(master().adopt_volume(op, {volume("t1/v"), {}}))->value.operation, "my-Request_1");
}

TEST_P(VolmasterAdoption, RefusalsChangeNothing) {
  put();
  expect_error(adopt(), Code::not_found, {"tenant 't1'"});
  upload("t1");
  for (const auto& [key, value] : Options{{"size", "1GB"}, {"filesystem", "ext4"}, {"node", "n1"}})
    expect_error(adopt({volume("t1/v"), {{key, value}}}), Code::invalid_argument,
                 {"option " + key, "a volume that is adopted"});
  expect_error(adopt({volume("t1/v"), {{"colour", "red"}}}), Code::invalid_argument,
               {"unknown option 'colour'"});
  expect_error(adopt({volume("t1/v"), {{"pool", "../etc"}}}), Code::invalid_argument, {"option pool"});
  expect_error(adopt({volume("t1/v"), {{"backend", "local"}, {"pool", "x"}}}), Code::unsupported,
               {"backend 'local' cannot adopt", "can: sim"});
  expect_error(adopt({volume("t1/w"), {}}), Code::not_found, {"adopting volume 't1/w'", "pool/t1.w"});
  expect_untouched();
}

TEST_P(VolmasterAdoption, ImageWithoutAFileSystemIsRefused) {
  upload("t1");
  put("");
  expect_error(adopt(), Code::invalid_argument, {"pool/t1.v", "holds no file system, but nothing:"});
  put("some words");
  expect_error(adopt(), Code::invalid_argument, {"nothing that is known"});
  put(std::string("LUKS\xba\xbe\x00\x01", 8));
  expect_error(adopt(), Code::invalid_argument, {"'crypto_LUKS'"});
  EXPECT_EQ(owner(), "");
  EXPECT_EQ(phase(), std::nullopt);
}

TEST_P(VolmasterAdoption, VolumeThatExistsIsInTheWay) {
  upload("t1");
  must(create("t1/v"));
  expect_error(adopt(confirmed()), Code::already_exists, {"volume 't1/v' exists already (it is ready)"});
}

TEST_P(VolmasterAdoption, ForgottenVolumeComesBackWhenSomebodyConfirms) {
  upload("t1");
  const std::string uid = must(create("t1/v")).volume->value.uid;
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::forget_record));
  EXPECT_EQ(owner(), uid);
  expect_error(adopt(confirmed()), Code::invalid_argument, {"holds no file system"});  // nor does it
}

TEST_P(VolmasterAdoption, ImageOfAVolumeOfThisStoreIsNeverTaken) {
  upload("t1");
  put();
  const auto first = must(adopt());
  // As after `rbd rename`: an image of another name carries its uid.
  const backend::ImageKey renamed{"pool", "t1.w", first->value.uid};
  world_.cluster().put_foreign("host", renamed, kSize, filesystem());
  must(world_.cluster().adopt(renamed, must(world_.cluster().find_image(renamed))));
  expect_error(master().adopt_volume(op_for(), {volume("t1/w"), {}, {}, service::Confirmed::yes}),
               Code::permission_denied, {"pool/t1.w", "belongs to volume 't1/v'"});
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::forget_record));
  expect_error(adopt(), Code::permission_denied, {"belongs to volume " + first->value.uid, "--yes"});
  const auto again = must(adopt(confirmed()));
  EXPECT_NE(again->value.uid, first->value.uid);
  EXPECT_EQ(again->value.layout, model::Layout::root) << "volplugin did not make it";
}

TEST_P(VolmasterAdoption, ImageInUseIsRefused) {
  upload("t1");
  put();
  const auto uid = must(adopt())->value.uid;
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::forget_record));
  const auto device = must(world_.cluster().attach("host7", key(uid)));
  expect_error(adopt(confirmed()), Code::busy, {"host7"});
  EXPECT_EQ(owner(), uid);
}

TEST_P(VolmasterAdoption, MountOfAnEarlierVolumeIsInTheWay) {
  upload("t1");
  put();
  must(adopt());
  must(acquire("t1/v", "n1", "m1"));
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::forget_record));
  expect_error(adopt(confirmed()), Code::busy, {"mounted on node 'n1'"});
}

TEST_P(VolmasterAdoption, FailureGivesTheImageBack) {
  upload("t1");
  put();
  world_.sim().fail_before(SimCall::adopt);
  expect_error(adopt(), Code::unavailable, {"adopting volume 't1/v'"});
  expect_untouched();
  world_.sim().act_then_fail(SimCall::adopt);
  expect_error(adopt(), Code::unavailable, {"adopting volume 't1/v'"});
  expect_untouched();
  must(adopt());
}

TEST_P(VolmasterAdoption, WhatCannotBeGivenBackStaysVisibleUntilItCan) {
  upload("t1");
  put();
  world_.sim().act_then_fail(SimCall::adopt);
  world_.sim().fail_before(SimCall::release);
  expect_error(adopt(), Code::unavailable, {"undoing failed too"}, Effect::unknown);
  const auto left = must(master().get_volume(op_for(), volume("t1/v")));
  EXPECT_EQ(left->value.phase, model::Phase::adopting);
  EXPECT_EQ(owner(), left->value.uid);
  const auto operations = must(master().list_operations(op_for()));
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].kind, "adopt");
  EXPECT_EQ(operations[0].volume, "t1/v");
  EXPECT_EQ(operations[0].state, "running");
  EXPECT_NE(operations[0].message, "");
  expect_error(acquire("t1/v", "n1", "m1"), Code::busy, {"adopting"});

  world_.sim().fail_before(SimCall::release);
  EXPECT_EQ(world_.control().recover_step(op_for()).size(), 1U);
  EXPECT_EQ(phase(), model::Phase::adopting);
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  expect_untouched();
}

TEST_P(VolmasterAdoption, EveryWayOutOfAnInterruptedAdoptionKeepsTheImage) {
  upload("t1");
  const auto interrupt = [&] {
    put();
    world_.sim().act_then_fail(SimCall::adopt);
    world_.sim().fail_before(SimCall::release);
    expect_error(adopt(), Code::unavailable, {}, Effect::unknown);
    EXPECT_EQ(phase(), model::Phase::adopting);
  };
  interrupt();
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
  expect_untouched();
  interrupt();
  expect_error(create("t1/v"), Code::already_exists, {"belongs to somebody else"});
  expect_untouched();
  interrupt();
  EXPECT_EQ(must(adopt())->value.phase, model::Phase::ready) << "it is given back, and adopted anew";
  EXPECT_EQ(owner(), must(master().get_volume(op_for(), volume("t1/v")))->value.uid);
}

TEST_P(VolmasterAdoption, HungStorageEndsWithTheDeadline) {
  upload("t1");
  put();
  world_.sim().hang_until_deadline(SimCall::adopt);
  expect_error(master().adopt_volume(op_for(kShort), {volume("t1/v"), {}}), Code::deadline_exceeded);
  EXPECT_TRUE(eventually([&] { return phase() == std::nullopt; }));
  expect_untouched();
}

INSTANTIATE_TEST_SUITE_P(Volmaster, VolmasterAdoption, ::testing::Values(Way::in_process, Way::over_rest),
                         [](const auto& way) {
                           return way.param == Way::in_process ? "InProcess" : "OverRest";
                         });

}  // namespace
}  // namespace volplugin::contract
