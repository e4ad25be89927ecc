// Files of lines that one process adds to.
#include "io/appended_file.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/json_file.h"
#include "support/error_of.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
using enum AppendedFile::Use;

std::string content(const std::filesystem::path& file) { return read_text_file(file, 1000); }

TEST(AppendedFile, GoesOnBehindTheLastCompleteLine) {
  const TempDir folder;
  const auto path = folder.path() / "lines";
  {
    AppendedFile file("[test]", path, append);
    EXPECT_EQ(file.take_lines(), "");
    file.append("one\n");
  }
  std::ofstream(path, std::ios::app) << "two\nhal";
  EXPECT_EQ(complete_lines(path), "one\ntwo\n");
  AppendedFile file("[test]", path, append);
  EXPECT_EQ(file.take_lines(), "one\ntwo\n");
  file.append("three\n");
  EXPECT_EQ(content(path), "one\ntwo\nthree\n");
}

TEST(AppendedFile, BelongsToOneAtATime) {
  const TempDir folder;
  const auto path = folder.path() / "lines";
  {
    const AppendedFile first("[test]", path, append);
    for (const auto use : {append, read}) {
      EXPECT_THAT(testing::error_of([&] { AppendedFile("[test]", path, use); }),
                  HasSubstr("lines: another process writes its results there"));
    }
    EXPECT_EQ(complete_lines(path), "");
  }
  AppendedFile moved = AppendedFile("[test]", path, append);
  moved.append("one\n");
  EXPECT_EQ(content(path), "one\n");
}

TEST(AppendedFile, ReadingChangesNothing) {
  const TempDir folder;
  const auto path = folder.path() / "lines";
  std::ofstream(path) << "one\nhal";
  EXPECT_EQ(AppendedFile("[test]", path, read).take_lines(), "one\n");
  EXPECT_EQ(content(path), "one\nhal");
  EXPECT_THAT(testing::error_of([&] { AppendedFile("[test]", folder.path() / "none", read); }),
              HasSubstr("[test] " + (folder.path() / "none").string() + ": cannot be opened: "));
}

}  // namespace
}  // namespace unmask
