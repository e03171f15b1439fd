// SPDX-License-Identifier: Apache-2.0
// A removal that may have happened when its volmaster was lost.
#include "client/masters_for_test.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

#include <algorithm>

namespace volplugin::client {
namespace {

// A removal names a volume, which the next one of the same name must not fall victim to.
class RemovalTest : public ThreeMasters {
 protected:
  static http::Response volume(const std::string& uid) {
    model::Volume volume{*model::parse_volume_id("t/v"), uid};
    volume.options = {.backend = "loop", .pool = "p", .size = Bytes::mib(1), .filesystem = "ext4"};
    json::Writer writer;
    wire::write(writer, volume, 1);
    return {.body = writer.take()};
  }
  // How often the second volmaster was told to remove, when the first one breaks off.
  size_t removals_when_left(const http::Response& left, service::RemoveMode mode) {
    a().say("GET /v1/volumes/t/v", volume("uid-1"));
    a().die_at("DELETE");
    b().say("GET /v1/volumes/t/v", left);
    b().say("DELETE /v1/volumes/t/v", {.status = 204, .body = ""});
    const auto master = std::move(*RestVolmaster::open({a().address(), b().address()}, "tester", kShort));
    removed_ = master->remove_volume(op_, *model::parse_volume_id("t/v"), mode);
    return static_cast<size_t>(std::ranges::count(b().asked(), "DELETE /v1/volumes/t/v"));
  }
  Result<> removed_;
};

TEST_F(RemovalTest, GoneIsDone) {
  EXPECT_EQ(removals_when_left(problem(404, "not_found", "no"), service::RemoveMode::delete_data), 0);
  EXPECT_TRUE(removed_) << removed_.error().message;
}
TEST_F(RemovalTest, StillThereIsRemoved) {
  EXPECT_EQ(removals_when_left(volume("uid-1"), service::RemoveMode::if_ephemeral), 1);
  EXPECT_TRUE(removed_) << removed_.error().message;
}
TEST_F(RemovalTest, NewOneOfTheSameNameStays) {
  EXPECT_EQ(removals_when_left(volume("uid-2"), service::RemoveMode::delete_data), 0);
  EXPECT_TRUE(removed_) << removed_.error().message;
}
TEST_F(RemovalTest, ForcedOneIsNotRepeated) {
  EXPECT_EQ(removals_when_left(volume("uid-1"), service::RemoveMode::forget_record), 0);
  ASSERT_FALSE(removed_);
  EXPECT_EQ(removed_.error().effect, Effect::unknown);
}

}  // namespace
}  // namespace volplugin::client
