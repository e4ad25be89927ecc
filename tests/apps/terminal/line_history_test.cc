#include "apps/terminal/line_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/environment.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(StateFile, LiesWhereTheEnvironmentSays) {
  const testing::EnvironmentVariable home("HOME", "/home-of-a-test");
  const testing::EnvironmentVariable relative("XDG_STATE_HOME", "not/absolute");
  EXPECT_EQ(state_file("x"), fs::path("/home-of-a-test/.local/state/unmask/x"));
  const testing::EnvironmentVariable state("XDG_STATE_HOME", "/state");
  EXPECT_EQ(state_file("x"), fs::path("/state/unmask/x"));
  const testing::EnvironmentVariable no_home("HOME", "");
  const testing::EnvironmentVariable no_state("XDG_STATE_HOME", "");
  EXPECT_EQ(state_file("x"), std::nullopt);
}

TEST(LineHistory, KeepsLinesWithBreaksForTheirOwnerOnly) {
  const testing::TempDir directory;
  const fs::path file = directory.path() / "state" / "unmask" / "history";
  const LineHistory history(file);
  EXPECT_THAT(history.load(), IsEmpty());
  history.add("first\nline");
  LineHistory(file).add("\u65e5\u672c");
  EXPECT_THAT(history.load(), ElementsAre("first\nline", "\u65e5\u672c"));
  struct stat found {};
  ASSERT_EQ(stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST(LineHistory, LeavesOutWhatIsNoLineAndKeepsTheLast) {
  const testing::TempDir directory;
  std::string text = "not JSON\n[1]\n";
  for (size_t i = 0; i < 3 * LineHistory::kMost; ++i) text += fmt::format("\"{}\"\n", i);
  const fs::path file = directory.write("history", text);
  const LineHistory history(file);
  EXPECT_EQ(history.load().size(), LineHistory::kMost);
  EXPECT_EQ(history.load().back(), std::to_string(3 * LineHistory::kMost - 1));
  EXPECT_LT(fs::file_size(file), text.size() / 2);
}

TEST(LineHistory, WithoutAFileForgets) {
  const LineHistory none(std::nullopt);
  none.add("x");
  EXPECT_THAT(none.load(), IsEmpty());
  const LineHistory nowhere(fs::path("/proc/nonexistent/history"));
  nowhere.add("x");
  EXPECT_THAT(nowhere.load(), IsEmpty());
}

}  // namespace
}  // namespace unmask
