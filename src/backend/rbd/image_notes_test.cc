// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/image_notes.h"

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

TEST(ImageNotes, WhatIsWrittenIsRead) {
  const Clients both{"10.0.0.1:0/1", "[2001:db8::1]:0/2"};
  const Notes notes{{note::owner("t.v"), note::value_of(ImageOwner{"uid-1", "10aa"})},
                    {note::holder("t.v", "host-a"), note::value_of(both)},
                    {note::fenced("t.v", "volmaster@b"), note::value_of(Clients{})},
                    {note::owner("t.w"), note::value_of(ImageOwner{"uid-2", ""})}};
  const auto images = parse_notes(notes);
  ASSERT_EQ(images.size(), 2u);
  const ImageNotes& first = images.at("t.v");
  EXPECT_TRUE(first.owned_by("uid-1"));
  EXPECT_FALSE(first.owned_by("uid-2"));
  EXPECT_EQ(first.owner->image_id, "10aa");
  EXPECT_EQ(first.holders, (std::map<std::string, Clients>{{"host-a", both}}));
  EXPECT_EQ(first.fenced, (std::map<std::string, Clients>{{"volmaster@b", {}}}));
  EXPECT_EQ(images.at("t.w").owner->image_id, "");
  EXPECT_FALSE(ImageNotes{}.owned_by(""));
}

TEST(ImageNotes, OfAnAdoptedImageItIsKnownWhoMadeAndWhoHadIt) {
  for (const auto& [owner, value] : std::vector<std::pair<ImageOwner, std::string>>{
           {{"uid-1", "10aa"}, "uid-1 10aa"},
           {{"uid-1", "10aa", true}, "uid-1 10aa found"},
           {{"uid-2", "10aa", true, "uid-1"}, "uid-2 10aa found uid-1"},
           {{"uid-2", "10aa", false, "uid-1"}, "uid-2 10aa made uid-1"}}) {
    EXPECT_EQ(note::value_of(owner), value);
    const auto read = parse_notes({{note::owner("t.v"), value}}).at("t.v").owner;
    ASSERT_TRUE(read);
    EXPECT_EQ(note::value_of(*read), value);
    EXPECT_EQ(read->found, owner.found);
    EXPECT_EQ(read->previous, owner.previous);
    EXPECT_EQ(read->adopted(), value != "uid-1 10aa");
  }
}

TEST(ImageNotes, ValuesAreNeverEmpty) {
  // An empty note and an absent one are the same to the cluster.
  EXPECT_FALSE(note::value_of(Clients{}).empty());
}

TEST(ImageNotes, NotesOfOneImageAreThoseBehindItsPrefix) {
  const std::string prefix = note::all_of("t.v");
  EXPECT_TRUE(note::owner("t.v").starts_with(prefix));
  EXPECT_TRUE(note::holder("t.v", "a").starts_with(prefix));
  EXPECT_TRUE(note::fenced("t.v", "a").starts_with(prefix));
  EXPECT_FALSE(note::owner("t.v1").starts_with(prefix));
}

TEST(ImageNotes, WhatSomebodyElseWroteIsLeftOut) {
  const auto images = parse_notes({{"no slash", "x"}, {"t.v/other", "x"}, {"t.v/owner", "  "}});
  EXPECT_FALSE(images.at("t.v").owner);
  EXPECT_FALSE(images.contains("no slash"));
}

TEST(ImageNotes, HeldForAnother) {
  ImageNotes notes;
  notes.holders = {{"a", {"1"}}, {"b", {"2", "3"}}};
  EXPECT_TRUE(held_for_another(notes, "a", "3"));
  EXPECT_FALSE(held_for_another(notes, "b", "3"));
  EXPECT_FALSE(held_for_another(notes, "a", "4"));
}

}  // namespace
}  // namespace volplugin::backend
