// SPDX-License-Identifier: Apache-2.0
#include "backend/lvm/lvm_names.h"

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

LvmPool pool(const std::string& name = "vg") {
  return *parse_lvm_pool(name);
}

TEST(LvmPoolName, IsAGroupOrAGroupAndAThinPool) {
  EXPECT_EQ(pool("vg").group, "vg");
  EXPECT_FALSE(pool("vg").thin());
  EXPECT_EQ(pool("vg/tp").group, "vg");
  EXPECT_EQ(pool("vg/tp").thin_pool, "tp");
  EXPECT_TRUE(parse_lvm_pool("services-vg_1.+"));
  for (const char* bad :
       {"", "/", "vg/", "/tp", "a/b/c", "-vg", "vg/-tp", ".", "..", "../x", "v g", "v\"g", "v'g"}) {
    const auto parsed = parse_lvm_pool(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
  }
}

TEST(LvmVolumeName, IsTheImagesWhereLvmAllowsIt) {
  const auto name = lvm_name_of(pool("my-vg"), "tenant.my-volume_1");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->volume, "tenant.my-volume_1");
  EXPECT_FALSE(name->encoded);
  EXPECT_EQ(name->mapped, "my--vg-tenant.my--volume_1");
}

TEST(LvmVolumeName, IsMadeUpWhereLvmReservesIt) {
  for (const char* image : {"snapshot.one", "pvmove0.x", "t1.my_tmeta", "t1.a_rimage_0", "t1.x_mlog",
                            "t1.a_pmspare", "vp-taken.by-us"}) {
    const auto name = lvm_name_of(pool(), image);
    ASSERT_TRUE(name) << image;
    EXPECT_TRUE(name->encoded) << image;
    EXPECT_EQ(name->volume.size(), 39u) << image;
    EXPECT_EQ(name->volume, lvm_name_of(pool("other"), image)->volume);
    EXPECT_NE(name->volume, lvm_name_of(pool(), std::string(image) + "x")->volume);
  }
  // Names on disk come from it: it must never change.
  EXPECT_EQ(lvm_name_of(pool(), "snapshot.one")->volume, "vp-f4d26d8d-cbc1-52fe-bc81-6db18070f010");
}

TEST(LvmVolumeName, IsMadeUpWhereTheKernelsIsTooLong) {
  EXPECT_FALSE(lvm_name_of(pool(), std::string(124, 'a'))->encoded);
  EXPECT_TRUE(lvm_name_of(pool(), std::string(125, 'a'))->encoded);
  EXPECT_FALSE(lvm_name_of(pool(), "a" + std::string(61, '-') + "b")->encoded);
  EXPECT_TRUE(lvm_name_of(pool(), "a" + std::string(62, '-') + "b")->encoded) << "a hyphen counts twice";
  EXPECT_FALSE(lvm_name_of(pool(std::string(125, 'g')), "t.v")) << "no room even for the made-up name";
}

TEST(LvmVolumeName, RefusesWhatLvmHasNoPlaceFor) {
  for (const std::string bad : {"", "-a", "a/b", "a b", ".", "..", "\xC3\xA9", "a\nb", "a\"b"}) {
    const auto name = lvm_name_of(pool(), bad);
    ASSERT_FALSE(name) << bad;
    EXPECT_EQ(name.error().code, Code::invalid_argument);
  }
}

TEST(LvmTags, SayWhoseAVolumeIs) {
  const LvmTags tags("volplugin");
  EXPECT_EQ(*tags.uid_tag("1f-2e"), "volplugin.uid=1f-2e");
  EXPECT_EQ(tags.uid_of("volplugin.uid=1f-2e"), "1f-2e");
  EXPECT_EQ(tags.uid_of("backup,volplugin.image=a.b,volplugin.uid=1f-2e,x"), "1f-2e");
  for (const char* foreign :
       {"", "backup", "lvmvd.uid=1f-2e", "xvolplugin.uid=1", "volplugin.image=a.b", "volpluginx"})
    EXPECT_EQ(tags.uid_of(foreign), "") << foreign;
  EXPECT_EQ(tags.image_of("volplugin.image=a.b,volplugin.uid=1", "vp-123"), "a.b");
  EXPECT_EQ(tags.image_of("volplugin.uid=1", "a.b"), "a.b");
}

TEST(LvmTags, ABareTagHandsAVolumeOver) {
  const LvmTags tags("lvmvd");
  EXPECT_EQ(tags.uid_of("lvmvd"), "lvmvd");
  EXPECT_EQ(tags.uid_of("backup,lvmvd,x"), "lvmvd");
  EXPECT_EQ(*tags.uid_tag("lvmvd"), "lvmvd");
}

TEST(LvmTags, UidsThatNoTagCanHaveAreRefused) {
  const LvmTags tags("volplugin");
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a,b"), std::string("a\"b"), std::string(257, 'a')})
    EXPECT_EQ(tags.uid_tag(bad).error().code, Code::invalid_argument) << bad;
}

}  // namespace
}  // namespace volplugin::backend
