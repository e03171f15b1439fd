// SPDX-License-Identifier: Apache-2.0
// Tables, the progress line, and the files that are made from the command table.
#include "cli/output.h"

#include "cli/cli_for_test.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/progress.h"

#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>

namespace volplugin::cli {
namespace {

using testing::HasSubstr;

TEST(Table, AlignsAndLeavesNoBlanksAtTheEnd) {
  const std::vector<Row> rows{{"a", "long cell", ""}, {"longer", "", "x"}, {"", "", ""}};
  EXPECT_EQ(format_table({"N", "COLUMN", "Z"}, rows),
            "N       COLUMN     Z\n"
            "a       long cell  -\n"
            "longer  -          x\n"
            "-       -          -\n");
  EXPECT_EQ(format_table({"N"}, {}), "N\n");
}

// A stream that another thread writes to and the test waits on.
class WatchedBuffer final : public std::streambuf {
 public:
  bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return text_.contains(text); });
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 protected:
  int overflow(int c) override {
    const char byte = static_cast<char>(c);
    xsputn(&byte, 1);
    return c;
  }
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    const std::lock_guard lock(mutex_);
    text_.append(bytes, static_cast<size_t>(count));
    changed_.notify_all();
    return count;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

class ProgressLine : public CliTest {
 protected:
  Context open(const std::vector<std::string>& words) {
    line_ = parse_line(words).value();
    streams_.err_is_terminal = err_is_terminal;
    return Context::open(line_, streams_, connect_).value();
  }
  WatchedBuffer buffer_;

 private:
  Connect connect_ = connect();
  Line line_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostream err_{&buffer_};
  Streams streams_{in_, out_, err_};
};

TEST_F(ProgressLine, IsShownAndTakenAway) {
  err_is_terminal = true;
  const Context context = open({"volume", "create", "a/b"});
  {
    const Progress progress(context, "creating a/b", Millis(1));
    EXPECT_TRUE(buffer_.wait_for("\rcreating a/b ... 0 s"));
  }
  EXPECT_TRUE(buffer_.text().ends_with("\r\x1b[K"));
}

TEST_F(ProgressLine, IsNotShownForShortCalls) {
  err_is_terminal = true;
  const Context context = open({"volume", "create", "a/b"});
  {
    const Progress progress(context, "creating a/b", Millis(3'600'000));
  }
  EXPECT_EQ(buffer_.text(), "");
}

TEST_F(ProgressLine, IsNotShownWithoutTerminalOrWithQuiet) {
  const Context plain = open({"volume", "create", "a/b"});
  {
    const Progress progress(plain, "creating a/b", Millis(0));
  }
  err_is_terminal = true;
  const Context quiet = open({"volume", "create", "a/b", "-q"});
  {
    const Progress progress(quiet, "creating a/b", Millis(0));
  }
  EXPECT_EQ(buffer_.text(), "");
}

// VOLPLUGIN_ACCEPT=1 rewrites the file and skips the test, so that an acceptance never counts as a pass.
void compare_with_file(const std::string& path, std::string_view expected) {
  const std::string whole = std::string(SOURCE_DIR) + "/" + path;
  if (std::getenv("VOLPLUGIN_ACCEPT") != nullptr) {
    std::ofstream(whole) << expected;
    GTEST_SKIP() << path << " was rewritten";
  }
  std::ifstream file(whole);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(found, expected) << path << " is out of date; run this test with VOLPLUGIN_ACCEPT=1";
}

TEST(Golden, Reference) {
  compare_with_file("docs/volcli.md", markdown_reference());
}
TEST(Golden, BashCompletion) {
  compare_with_file("packaging/completion/volcli.bash", bash_completion_script());
}

TEST_F(CliTest, ReferenceNamesEveryCommand) {
  EXPECT_EQ(run("__markdown"), 0);
  EXPECT_EQ(out, markdown_reference());
  for (const Command& command : commands()) EXPECT_THAT(out, HasSubstr(command.usage()));
}

}  // namespace
}  // namespace volplugin::cli
