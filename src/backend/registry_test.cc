// SPDX-License-Identifier: Apache-2.0
#include "backend/registry.h"

#include "os/scratch.h"

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

Error refused(const BackendSettings& settings) {
  const auto opened = open_backends(settings, system_clock());
  EXPECT_FALSE(opened);
  return opened ? make_error(Code::internal, "opened") : opened.error();
}

TEST(Registry, OpensWhatIsNamed) {
  const os::ScratchDir dir;
  EXPECT_EQ(known_backends(), (std::vector<std::string>{"ceph", "loop", "lvm", "sim"}));
  BackendSettings settings{.data_dir = dir.path(), .options = {}};
  EXPECT_TRUE(open_backends(settings, system_clock())->empty());
  settings.options = {{"loop", {{"overcommit.fast", "true"}, {"pool.fast", dir.path()}}},
                      {"sim", {{"scope", "cluster"}}}};
  const auto opened = open_backends(settings, system_clock());
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(opened->size(), 2u);
  for (const auto& [name, backend] : *opened) EXPECT_EQ(backend->traits().name, name);
  EXPECT_EQ(opened->at("sim")->traits().scope, Scope::cluster);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "pools"));
}

TEST(Registry, SharedLoopPoolsBelongToTheCluster) {
  const os::ScratchDir dir;
  const auto scope_with = [&](const std::string& shared) {
    const auto opened = open_backends(
        {.data_dir = dir.path(), .options = {{"loop", {{"shared", shared}, {"pools_dir", dir / "nfs"}}}}},
        system_clock());
    EXPECT_TRUE(opened) << opened.error().message;
    return opened->at("loop")->traits().scope;
  };
  EXPECT_EQ(scope_with("true"), Scope::cluster);
  EXPECT_FALSE(std::filesystem::exists(dir / "nfs"));
  EXPECT_EQ(scope_with("false"), Scope::host_local);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "nfs"));
}

TEST(Registry, NamesWhatIsWrong) {
  const os::ScratchDir dir;
  const auto message_for = [&](std::map<std::string, std::map<std::string, std::string>> options) {
    const Error error = refused({.data_dir = dir.path(), .options = std::move(options)});
    EXPECT_EQ(error.code, Code::invalid_argument);
    return error.message;
  };
  EXPECT_NE(message_for({{"floppy", {}}}).find("ceph, loop, lvm, sim"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"colour", "red"}}}}).find("colour"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"pools_dir", "relative"}}}}).find("relative"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"pool.x", "relative"}}}}).find("pool.x"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"pool.a b", "/x"}}}}).find("a b"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"overcommit.x", "yes"}}}}).find("true or false"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"shared", "yes"}}}}).find("'shared' is 'yes'"), std::string::npos);
  EXPECT_NE(message_for({{"loop", {{"shared", "true"}}}}).find("pools_dir"), std::string::npos);
  EXPECT_NE(message_for({{"sim", {{"scope", "galaxy"}}}}).find("galaxy"), std::string::npos);
  EXPECT_NE(message_for({{"ceph", {{"conf", "ceph.conf"}}}}).find("absolute"), std::string::npos);
  EXPECT_NE(message_for({{"ceph", {{"attach", "nbd"}}}}).find("krbd"), std::string::npos);
  EXPECT_NE(message_for({{"ceph", {{"exclusive", "no"}}}}).find("'exclusive' is 'no'"), std::string::npos);
  EXPECT_NE(message_for({{"ceph", {{"keyrings", "/x"}}}}).find("'keyrings'"), std::string::npos);
  EXPECT_NE(message_for({{"ceph", {{"id.a b", "x"}}}}).find("a b"), std::string::npos);
}

}  // namespace
}  // namespace volplugin::backend
