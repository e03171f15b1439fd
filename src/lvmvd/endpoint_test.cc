// SPDX-License-Identifier: Apache-2.0
// The real listeners and files, in front of volumes that only note what they are asked.
#include "lvmvd/endpoint.h"

#include "dockerplugin/fake_volumes_for_test.h"
#include "http/raw_socket_for_test.h"
#include "os/scratch.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace volplugin::lvmvd {
namespace {

using http::test::RawSocket;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    settings_.sock_file = scratch_ / "plugins/x.sock";
    settings_.json_file = scratch_ / "specs/x.json";
    settings_.host = "127.0.0.1";
    settings_.port = free_port();
  }

  static std::string free_port() {
    http::Server server({}, http::test::Running::echo);
    const std::string address = server.listen("127.0.0.1:0").value_or(":0");
    return address.substr(address.rfind(':') + 1);
  }
  Result<std::unique_ptr<Endpoint>> open() { return Endpoint::open(settings_, {clock_, log_, group_}); }
  void serve() {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    endpoint_ = std::move(*opened);
    const auto serving = endpoint_->serve(volumes_);
    ASSERT_TRUE(serving) << serving.error().message;
  }
  std::string listening() const {
    return settings_.listener == "unix" ? "unix://" + endpoint_->address() : endpoint_->address();
  }
  http::test::Answer ask(const std::string& call, const std::string& body, const std::string& verb = "POST",
                         const std::string& headers = "") {
    RawSocket socket(listening());
    socket.send(fmt::format("{} /{} HTTP/1.1\r\nHost:\r\n{}Content-Length: {}\r\n\r\n{}", verb, call, headers,
                            body.size(), body));
    return socket.receive();
  }
  static std::string access_of(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return "missing";
    return fmt::format("{:o} {} {}", status.st_mode & 07777, status.st_uid, status.st_gid);
  }
  std::string lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  os::ScratchDir scratch_;
  const std::string daemon_ = std::to_string(::getgrnam("daemon")->gr_gid);  // everywhere, unlike docker
  Settings settings_;
  std::mutex mutex_;
  std::string lines_;
  const Log log_{system_clock(), Detail::debug, [this](const std::string& line) {
                   const std::lock_guard lock(mutex_);
                   lines_ += line;
                 }};
  const Group group_{"daemon", [this](const std::string& line) { log_.line(line); }};
  const Clock& clock_ = system_clock();
  dockerplugin::FakeVolumes volumes_;
  std::unique_ptr<Endpoint> endpoint_;
};

TEST_F(EndpointTest, TheSocketIsForRootAndTheGroupOnly) {
  serve();
  EXPECT_EQ(endpoint_->address(), scratch_ / "plugins/x.sock");
  EXPECT_EQ(access_of(scratch_ / "plugins"), "750 0 " + daemon_);
  EXPECT_EQ(access_of(scratch_ / "plugins/x.sock"), "660 0 " + daemon_);
  EXPECT_EQ(access_of(scratch_ / "specs"), "missing");
  EXPECT_THAT(lines(), EndsWith(" Start listening on " + (scratch_ / "plugins/x.sock") + "\n"));
  endpoint_.reset();
  EXPECT_EQ(access_of(scratch_ / "plugins/x.sock"), "missing");
}

TEST_F(EndpointTest, OfASocketDirectoryThatExistsOnlyTheOwnersChange) {
  ASSERT_EQ(::mkdir((scratch_ / "plugins").c_str(), 0755), 0);
  ASSERT_EQ(::chmod((scratch_ / "plugins").c_str(), 0755), 0);
  serve();
  EXPECT_EQ(access_of(scratch_ / "plugins"), "755 0 " + daemon_);
}

TEST_F(EndpointTest, ADirectoryMayBeGivenForTheSocket) {
  settings_.sock_file = scratch_ / "new/";
  serve();
  EXPECT_EQ(endpoint_->address(), scratch_ / "new/lvm-volume-driver.sock");
  endpoint_.reset();
  settings_.sock_file = scratch_ / "new";
  serve();
  EXPECT_EQ(endpoint_->address(), scratch_ / "new/lvm-volume-driver.sock");
  EXPECT_EQ(access_of(endpoint_->address()), "660 0 " + daemon_);
}

TEST_F(EndpointTest, WhatIsNoDirectoryIsRefused) {
  ASSERT_EQ(::symlink("/tmp", (scratch_ / "plugins").c_str()), 0);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "Cannot create socket file: " + (scratch_ / "plugins") +
                                        " exists and does not appear to be a directory.");
}

TEST_F(EndpointTest, ALiveSocketIsNeverTaken) {
  serve();
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::already_exists);
  EXPECT_THAT(second.error().message, StartsWith("Cannot create socket file: "));
  EXPECT_THAT(second.error().message, HasSubstr("somebody listens"));
  EXPECT_EQ(ask("VolumeDriver.List", "").status, 200) << "the first one still serves";
}

TEST_F(EndpointTest, AStaleSocketIsReplaced) {
  ASSERT_EQ(::mkdir((scratch_ / "plugins").c_str(), 0755), 0);
  ASSERT_TRUE(http::test::RawSocket("unix://" + settings_.sock_file).connected() == false);
  {
    const auto fd = os::FileDescriptor(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    settings_.sock_file.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  }
  serve();
  EXPECT_EQ(ask("VolumeDriver.List", "").status, 200);
}

TEST_F(EndpointTest, ASocketOfSomebodyElseOutlivesUs) {
  serve();
  ASSERT_EQ(::unlink(settings_.sock_file.c_str()), 0);
  http::Server other({}, http::test::Running::echo);
  ASSERT_TRUE(other.listen("unix://" + settings_.sock_file));
  endpoint_.reset();
  EXPECT_NE(access_of(settings_.sock_file), "missing");
}

TEST_F(EndpointTest, TheSpecFileTellsTheAddress) {
  settings_.listener = "http";
  serve();
  EXPECT_EQ(os::read_file(settings_.json_file).value_or(""),
            "\n{\n     \"Name\": \"lvm-volume-driver\",\n     \"Addr\": \"http://127.0.0.1:" +
                settings_.port + "\"\n}");
  EXPECT_EQ(access_of(scratch_ / "specs"), "750 0 " + daemon_);
  EXPECT_EQ(access_of(settings_.json_file), "640 0 " + daemon_);
  EXPECT_EQ(access_of(scratch_ / "plugins"), "missing");
  EXPECT_THAT(lines(), EndsWith(" Start listening on 127.0.0.1:" + settings_.port + "\n"));
  endpoint_.reset();
  EXPECT_EQ(access_of(settings_.json_file), "missing");
}

TEST_F(EndpointTest, LocalhostIsReachedBy127001) {
  settings_.listener = "http";
  settings_.host = "localhost";
  settings_.json_file = scratch_ / "specs/";
  serve();
  EXPECT_EQ(endpoint_->address(), "localhost:" + settings_.port);
  EXPECT_TRUE(RawSocket("127.0.0.1:" + settings_.port).connected());
  EXPECT_THAT(os::read_file(scratch_ / "specs/lvm-volume-driver.json").value_or(""),
              HasSubstr("\"http://localhost:" + settings_.port + "\""));
}

TEST_F(EndpointTest, APortInUseLeavesNoFileBehind) {
  http::Server other({}, http::test::Running::echo);
  const auto address = other.listen("127.0.0.1:0");
  ASSERT_TRUE(address);
  settings_.listener = "http";
  settings_.port = address->substr(address->rfind(':') + 1);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::already_exists);
  EXPECT_THAT(opened.error().message, HasSubstr(*address));
  EXPECT_EQ(access_of(scratch_ / "specs"), "missing");
}

TEST_F(EndpointTest, ASpecFileOfSomebodyElseOutlivesUs) {
  settings_.listener = "http";
  serve();
  ASSERT_TRUE(os::write_file_atomically(settings_.json_file, "theirs", 0600, os::Durability::none));
  endpoint_.reset();
  EXPECT_EQ(os::read_file(settings_.json_file).value_or(""), "theirs");
}

TEST_F(EndpointTest, WhoNeverServedLeavesNoFile) {
  ASSERT_TRUE(open());
  EXPECT_EQ(access_of(settings_.sock_file), "missing");
  settings_.listener = "http";
  auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_EQ(access_of(scratch_ / "specs"), "missing") << "only what serves is told to Docker";
  EXPECT_FALSE(open()) << "the port is taken nevertheless";
}

TEST_F(EndpointTest, CallsWaitUntilTheVolumesAreThere) {
  auto opened = open();
  ASSERT_TRUE(opened);
  endpoint_ = std::move(*opened);
  RawSocket early(listening());
  early.send(http::test::get("/VolumeDriver.List"));
  ASSERT_TRUE(endpoint_->serve(volumes_));
  EXPECT_EQ(early.receive().body, R"({"Err":"","Volumes":[]})");
}

TEST_F(EndpointTest, EveryAnswerHasTheBytesOfTheOriginal) {
  serve();
  volumes_.bare = true;
  const std::vector<std::tuple<std::string, std::string, std::string>> cases{
      {"Plugin.Activate", "", R"({"Implements":["VolumeDriver"]})"},
      {"Plugin.Activate", "nonsense", R"({"Implements":["VolumeDriver"]})"},
      {"VolumeDriver.Capabilities", "[", R"({"Capabilities":{"Scope":"local"}})"},
      {"VolumeDriver.Create", R"({"Name":"x"})", R"({"Err":""})"},
      {"VolumeDriver.Create", R"({"Name":"x"} and more)", R"({"Err":""})"},
      {"VolumeDriver.Remove", R"({"Name":"x"})", R"({"Err":""})"},
      {"VolumeDriver.Mount", R"({"Name":"x","ID":"i"})", R"({"Err":"","Mountpoint":"/mounts/x"})"},
      {"VolumeDriver.Unmount", R"({"Name":"x","ID":"i"})", R"({"Err":""})"},
      {"VolumeDriver.Path", R"({"Name":"x"})", R"({"Err":"","Mountpoint":"/mounts/x"})"},
      {"VolumeDriver.Get", R"({"Name":"x"})", R"({"Err":"","Volume":{"Name":"x","Mountpoint":""}})"},
      {"VolumeDriver.List", "nonsense", R"({"Err":"","Volumes":[]})"},
      {"VolumeDriver.Create", "", R"({"Err":"EOF"})"},
      {"VolumeDriver.Get", "", R"({"Err":"EOF"})"},
      {"VolumeDriver.Remove", "{", R"({"Err":"unexpected EOF"})"},
      {"VolumeDriver.Mount", R"({"name":"x"})", R"({"Err":"Illegal request"})"},
      {"VolumeDriver.Path", "<", R"({"Err":"invalid character '\u003c' looking for beginning of value"})"},
  };
  for (const auto& [call, body, expected] : cases) {
    const auto answer = ask(call, body);
    EXPECT_EQ(answer.status, 200) << call;
    EXPECT_EQ(answer.body, expected) << call;
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/vnd.docker.plugins.v1.1+json\r\n"));
  }
}

TEST_F(EndpointTest, AnyHttpMethodWillDo) {
  serve();
  for (const std::string verb : {"GET", "PUT", "POST", "DELETE", "PATCH"})
    EXPECT_EQ(ask("Plugin.Activate", "", verb).body, R"({"Implements":["VolumeDriver"]})") << verb;
}

TEST_F(EndpointTest, OtherPathsAreNotFound) {
  serve();
  for (const std::string path : {"", "VolumeDriver.Format", "volumedriver.list", "VolumeDriver.List/"}) {
    const auto answer = ask(path, "");
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, "404 page not found\n");
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  }
}

TEST_F(EndpointTest, ErrorsAreAnswersToo) {
  serve();
  volumes_.error = make_error(Code::conflict, "Volume <x> & co is still mounted");
  const auto answer = ask("VolumeDriver.Remove", R"({"Name":"<x>"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"Err":"Volume \u003cx\u003e \u0026 co is still mounted"})");
}

TEST_F(EndpointTest, AGetOfTheEngineThatLostItsBodyGetsNoAnswer) {
  serve();
  EXPECT_EQ(
      ask("VolumeDriver.Get", "", "POST", "Accept: application/vnd.docker.plugins.v1.2+json\r\n").status, 0);
}

TEST_F(EndpointTest, OnlyTcpConnectionsAreKept) {
  serve();
  EXPECT_THAT(ask("VolumeDriver.List", "").head, HasSubstr("Connection: close\r\n"));
  settings_.listener = "http";
  serve();
  EXPECT_THAT(ask("VolumeDriver.List", "").head, Not(HasSubstr("Connection: close\r\n")));
}

TEST_F(EndpointTest, TheLogTellsCallsAndWithDebugEverything) {
  serve();
  ask("VolumeDriver.Create", R"({"Name":"x"})");
  const std::string text = lines();
  EXPECT_THAT(text, HasSubstr(" Request: POST /VolumeDriver.Create, body: {\"Name\":\"x\"}\n"));
  EXPECT_THAT(text, HasSubstr(" /VolumeDriver.Create called for volume x\n"));
  EXPECT_THAT(text, EndsWith(" 200: {\"Err\":\"\"}\n"));
}

TEST_F(EndpointTest, ACallUnderWayIsAnsweredAtTheEnd) {
  serve();
  http::test::Gate gate;
  volumes_.while_working = [&] { gate.pass(); };
  RawSocket socket(listening());
  const std::string body = R"({"Name":"x"})";
  socket.send(fmt::format("POST /VolumeDriver.Create HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}",
                          body.size(), body));
  ASSERT_TRUE(http::test::eventually([&] { return gate.waiting() == 1; }));
  std::jthread end([&] { endpoint_.reset(); });
  ASSERT_TRUE(
      http::test::eventually([&] { return !RawSocket("unix://" + settings_.sock_file).connected(); }));
  gate.open();
  EXPECT_EQ(socket.receive().body, R"({"Err":""})");
  end.join();
  EXPECT_EQ(access_of(settings_.sock_file), "missing");
}

}  // namespace
}  // namespace volplugin::lvmvd
