// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about volumes: making, reading, listing, removing.
#include "tests/contract/volmaster_contract.h"

#include <algorithm>
#include <set>

namespace volplugin::contract {
namespace {

using service::RemoveMode;

TEST_P(VolmasterContract, VolumeIsMadeFromPolicyAndOptions) {
  upload("t1", [](model::Tenant& policy) { policy.defaults.write_bps = 4096; });
  const auto outcome = must(create("t1/v", {{"size", "20MB"}, {"filesystem", "xfs"}, {"ephemeral", "true"}}));
  EXPECT_TRUE(outcome.created);
  const auto read = must(master().get_volume(op_for(), volume("t1/v")));
  EXPECT_EQ(read->revision, outcome.volume->revision);
  const model::Volume& made = read->value;
  EXPECT_EQ(made.id, volume("t1/v"));
  EXPECT_EQ(made.uid, outcome.volume->value.uid);
  EXPECT_EQ(made.uid.size(), 36U);
  EXPECT_EQ(made.options.backend, "sim");
  EXPECT_EQ(made.options.pool, "pool");
  EXPECT_EQ(made.options.filesystem, "xfs");
  EXPECT_TRUE(made.options.ephemeral);
  EXPECT_EQ(made.options.rate_limit.write_bps, 4096U);
  EXPECT_EQ(made.filesystem_command, "mkfs.xfs %");
  EXPECT_EQ(made.filesystem_type, "xfs");
  EXPECT_EQ(made.size, Bytes::mib(20));
  EXPECT_EQ(made.phase, model::Phase::ready);
  EXPECT_FALSE(made.node);
  EXPECT_GT(made.created_at, WallTime{});
  EXPECT_TRUE(storage().has_image(made));
}

TEST_P(VolmasterContract, RequestIdIsTheOperationOfTheVolume) {
  upload("t1");
  const Op op(system_clock(), Millis(20'000), "my-Request_1", "contract");
  const auto outcome = must(master().create_volume(op, {volume("t1/v"), {}, {}}));
  EXPECT_EQ(outcome.volume->value.operation, "my-Request_1");
}

TEST_P(VolmasterContract, RepeatedCreateWithTheSameOptionsIsSuccess) {
  upload("t1");
  const auto first = must(create("t1/v", {{"size", "20MB"}}));
  const auto again = must(create("t1/v", {{"size", "20480KB"}}));
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.volume->value.uid, first.volume->value.uid);
  EXPECT_EQ(again.volume->revision, first.volume->revision);
  EXPECT_FALSE(must(create("t1/v")).created);  // says nothing, so contradicts nothing
  EXPECT_EQ(storage().makes(), 1);
}

TEST_P(VolmasterContract, CreateWithOtherOptionsNamesTheDifference) {
  upload("t1");
  must(create("t1/v"));
  expect_error(create("t1/v", {{"size", "1GB"}, {"filesystem", "xfs"}}), Code::already_exists,
               {"'t1/v'", "size is 10MB, not 1GB", "filesystem is ext4, not xfs"});
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.size, Bytes::mib(10));
}

TEST_P(VolmasterContract, CreateRefusesWhatTheServerDoesNotKnow) {
  expect_error(create("t1/v"), Code::not_found, {"tenant 't1'", "volcli tenant upload"});
  upload("t1");
  expect_error(create("t1/v", {{"colour", "red"}}), Code::invalid_argument,
               {"unknown option 'colour'", "backend", "filesystem", "pool", "rate-limit.write.iops", "size"});
  expect_error(create("t1/v", {{"size", "ten"}}), Code::invalid_argument, {"option size", "'ten'"});
  expect_error(create("t1/v", {{"backend", "floppy"}, {"pool", "x"}}), Code::invalid_argument,
               {"option backend", "'floppy'", "local, sim"});
  expect_error(create("t1/v", {{"backend", "local"}}), Code::invalid_argument, {"No Pool specified"});
  expect_error(create("t1/v", {{"pool", "../etc"}}), Code::invalid_argument, {"option pool"});
  expect_error(create("t1/v", {{"filesystem", "zfs"}}), Code::invalid_argument,
               {"option filesystem", "'zfs'", "ext4, xfs"});
  EXPECT_EQ(storage().makes(), 0);
  EXPECT_TRUE(must(master().list_volumes(op_for(), {})).items.empty());
}

TEST_P(VolmasterContract, FullPoolLeavesNoRecord) {
  upload("t1");
  expect_error(create("t1/v", {{"size", "4096GB"}}), Code::resource_exhausted, {"'t1/v'"});
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found, {"'t1/v'"});
  EXPECT_TRUE(must(create("t1/v")).created);
}

TEST_P(VolmasterContract, FailedMakeLeavesNoRecord) {
  upload("t1");
  storage().fail_next_make(make_error(Code::invalid_argument, "mkfs says: \"no\"\n\tand \xc3\xbc"));
  expect_error(create("t1/v"), Code::invalid_argument,
               {"creating volume 't1/v'", "mkfs says: \"no\"\n\tand \xc3\xbc"});
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
  EXPECT_TRUE(must(master().list_operations(op_for())).empty());
}

TEST_P(VolmasterContract, MakeWithUnknownEffectStaysVisibleUntilRecovered) {
  upload("t1");
  storage().fail_next_make(make_error(Code::unavailable, "power went", Effect::unknown));
  expect_error(create("t1/v"), Code::unavailable, {"power went"}, Effect::unknown);
  const auto failed = must(master().get_volume(op_for(), volume("t1/v")));
  EXPECT_EQ(failed->value.phase, model::Phase::failed);
  EXPECT_EQ(failed->value.message, "power went");
  EXPECT_TRUE(storage().has_image(failed->value));
  const auto operations = must(master().list_operations(op_for()));
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].id, failed->value.operation);
  EXPECT_EQ(operations[0].kind, "create");
  EXPECT_EQ(operations[0].volume, "t1/v");
  EXPECT_EQ(operations[0].state, "failed");
  EXPECT_EQ(operations[0].message, "power went");
  EXPECT_EQ(operations[0].since, failed->value.changed_at);

  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  EXPECT_FALSE(storage().has_image(failed->value));
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
  EXPECT_TRUE(must(master().list_operations(op_for())).empty());
}

TEST_P(VolmasterContract, CreateAfterAMakeWithUnknownEffectBeginsAnew) {
  upload("t1");
  storage().fail_next_make(make_error(Code::unavailable, "power went", Effect::unknown));
  expect_error(create("t1/v"), Code::unavailable, {}, Effect::unknown);
  const auto failed = must(master().get_volume(op_for(), volume("t1/v")));
  const auto outcome = must(create("t1/v"));
  EXPECT_TRUE(outcome.created);
  EXPECT_NE(outcome.volume->value.uid, failed->value.uid);
  EXPECT_FALSE(storage().has_image(failed->value));
  EXPECT_TRUE(storage().has_image(outcome.volume->value));
}

TEST_P(VolmasterContract, RemoveDeletesImageAndRecord) {
  upload("t1");
  const auto outcome = must(create("t1/v"));
  must(master().remove_volume(op_for(), volume("t1/v"), RemoveMode::delete_data));
  EXPECT_FALSE(storage().has_image(outcome.volume->value));
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found, {"'t1/v'"});
  for (const auto mode : {RemoveMode::delete_data, RemoveMode::if_ephemeral, RemoveMode::forget_record})
    expect_error(master().remove_volume(op_for(), volume("t1/v"), mode), Code::not_found, {"'t1/v'"});
}

TEST_P(VolmasterContract, RemoveModesTakeWhatTheySay) {
  upload("t1");
  const auto kept = must(create("t1/kept")).volume;
  const auto ephemeral = must(create("t1/ephemeral", {{"ephemeral", "true"}})).volume;
  const auto forgotten = must(create("t1/forgotten")).volume;
  must(master().remove_volume(op_for(), kept->value.id, RemoveMode::if_ephemeral));
  must(master().remove_volume(op_for(), ephemeral->value.id, RemoveMode::if_ephemeral));
  must(master().remove_volume(op_for(), forgotten->value.id, RemoveMode::forget_record));
  EXPECT_TRUE(master().get_volume(op_for(), kept->value.id));
  EXPECT_TRUE(storage().has_image(kept->value));
  expect_error(master().get_volume(op_for(), ephemeral->value.id), Code::not_found);
  EXPECT_FALSE(storage().has_image(ephemeral->value));
  expect_error(master().get_volume(op_for(), forgotten->value.id), Code::not_found);
  EXPECT_TRUE(storage().has_image(forgotten->value));
}

TEST_P(VolmasterContract, RemoveOfAMountedVolumeSaysWhereAndByWhom) {
  upload("t1");
  const auto made = must(create("t1/v", {{"ephemeral", "true"}})).volume;
  must(acquire("t1/v", "n1", "id-one"));
  must(acquire("t1/v", "n1", "id-two"));
  for (const auto mode : {RemoveMode::delete_data, RemoveMode::if_ephemeral})
    expect_error(master().remove_volume(op_for(), volume("t1/v"), mode), Code::busy,
                 {"'t1/v'", "'n1'", "id-one", "id-two", "2023-11-14T22:13:20.123Z"});
  EXPECT_TRUE(storage().has_image(made->value));
  must(release("t1/v", "n1"));
  EXPECT_TRUE(master().remove_volume(op_for(), volume("t1/v"), RemoveMode::delete_data));
}

TEST_P(VolmasterContract, RemoveThatFailsStaysVisibleAndIsFinishedLater) {
  upload("t1");
  const auto made = must(create("t1/v")).volume;
  storage().fail_next_remove(make_error(Code::unavailable, "pool is away", Effect::unknown));
  expect_error(master().remove_volume(op_for(), volume("t1/v"), RemoveMode::delete_data), Code::unavailable,
               {"'t1/v'", "pool is away"}, Effect::unknown);
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::removing);
  expect_error(acquire("t1/v", "n1", "id"), Code::busy, {"removing"});
  const auto operations = must(master().list_operations(op_for()));
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].kind, "remove");
  EXPECT_EQ(operations[0].state, "running");
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  EXPECT_FALSE(storage().has_image(made->value));
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, RemoveOfABusyImageChangesNothing) {
  upload("t1");
  const auto made = must(create("t1/v")).volume;
  storage().fail_next_remove(make_error(Code::busy, "mounted by hand"));
  expect_error(master().remove_volume(op_for(), volume("t1/v"), RemoveMode::delete_data), Code::busy,
               {"mounted by hand"});
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::ready);
  EXPECT_TRUE(storage().has_image(made->value));
}

TEST_P(VolmasterContract, LongAndOddNamesAreFine) {
  const std::string longest_tenant(63, 't');
  const std::string longest_volume(127, 'v');
  const std::vector<std::string> names{"0-_/0.-_..", longest_tenant + "/" + longest_volume, "a/b",
                                       "next/next"};
  for (const auto& name : names) {
    upload(volume(name).tenant.str());
    EXPECT_TRUE(must(create(name)).created) << name;
    EXPECT_EQ(must(master().get_volume(op_for(), volume(name)))->value.id.name(), name);
    must(acquire(name, "node.with-dots_0", "mount.id_-"));
    EXPECT_EQ(must(master().get_mount(op_for(), volume(name)))->value.volume.name(), name);
    must(release(name, "node.with-dots_0"));
    EXPECT_TRUE(master().remove_volume(op_for(), volume(name), RemoveMode::delete_data)) << name;
  }
}

TEST_P(VolmasterContract, ManyVolumesAreListedInPages) {
  upload("t1");
  upload("t1x");
  upload("t2");
  constexpr int kEach = 1250;
  for (int i = 0; i < kEach; ++i)
    for (const auto* of : {"t1", "t2"})
      must(world_.control().create_volume(op_for(), {volume(fmt::format("{}/v{}", of, i)), {}, {}}));
  must(create("t1x/v"));

  service::ListQuery query;  // the default limit of 1000
  std::vector<std::string> names;
  int pages = 0;
  do {
    const auto page = must(master().list_volumes(op_for(), query));
    for (const auto& item : page.items) names.push_back(item->value.id.name());
    EXPECT_GT(page.revision, 0U);
    query.after = page.next;
    ++pages;
  } while (!query.after.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(names.size(), 2 * kEach + 1U);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());

  const auto all = must(master().list_volumes(op_for(), {.tenant = "", .after = "", .limit = 10'000}));
  EXPECT_EQ(all.items.size(), names.size());
  EXPECT_EQ(all.next, "");
  const auto of_one = must(master().list_volumes(op_for(), {.tenant = "t1", .after = "", .limit = 10'000}));
  EXPECT_EQ(of_one.items.size(), static_cast<size_t>(kEach));
  const auto rest =
      must(master().list_volumes(op_for(), {.tenant = "t2", .after = "t2/v998", .limit = 10'000}));
  EXPECT_EQ(rest.items.size(), 1U);
}

TEST_P(VolmasterContract, TheNodeOfAHostLocalVolumeIsAnOption) {
  upload("t1", [](model::Tenant& policy) {
    policy.defaults.backend = "local";
    policy.defaults.pool = "disk";
  });
  EXPECT_EQ(must(create("t1/v", {{"node", "here"}}, "elsewhere")).volume->value.node, node("here"));
  EXPECT_FALSE(must(create("t1/v", {{"node", "here"}}, "elsewhere")).created);
  expect_error(create("t1/v", {{"node", "n7"}}), Code::already_exists, {"here", "n7"});
  expect_error(create("t1/w", {{"node", "/"}}), Code::invalid_argument, {"option node"});
  expect_error(create("t1/w", {{"backend", "sim"}, {"node", "here"}}), Code::invalid_argument,
               {"option node"});
  expect_error(master().get_volume(op_for(), volume("t1/w")), Code::not_found);
}

TEST_P(VolmasterContract, MountWaitIsKeptWithTheVolume) {
  upload("t1", [](model::Tenant& policy) { policy.defaults.mount_wait = std::chrono::seconds(7); });
  EXPECT_EQ(must(create("t1/a")).volume->value.options.mount_wait, std::chrono::seconds(7));
  EXPECT_EQ(must(create("t1/b", {{"mount-wait", "20s"}})).volume->value.options.mount_wait,
            std::chrono::seconds(20));
  expect_error(create("t1/b", {{"mount-wait", "21s"}}), Code::already_exists, {"mount-wait is 20s, not 21s"});
  expect_error(create("t1/c", {{"mount-wait", "101s"}}), Code::invalid_argument, {"option mount-wait"});
  upload("t1", [](model::Tenant& policy) { policy.defaults.takeover = model::Takeover::manual; });
  EXPECT_EQ(must(create("t1/d")).volume->value.options.takeover, model::Takeover::manual);
  EXPECT_EQ(must(create("t1/e", {{"takeover", "auto"}})).volume->value.options.takeover,
            model::Takeover::automatic);
  expect_error(create("t1/e", {{"takeover", "manual"}}), Code::already_exists,
               {"takeover is auto, not manual"});
  expect_error(create("t1/c", {{"takeover", "never"}}), Code::invalid_argument,
               {"option takeover", "'never' is not auto or manual"});
}

}  // namespace
}  // namespace volplugin::contract
