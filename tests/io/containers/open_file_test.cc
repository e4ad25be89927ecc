#include "io/containers/open_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;

/// What opening `path` says.
std::string reason(const fs::path& path) {
  try {
    const OpenFile file(path);
    return "opened";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(OpenFile, ReadsAFile) {
  const testing::TempDir folder;
  const OpenFile file(folder.write("a", "content"));
  EXPECT_EQ(file.size(), 7U);
  EXPECT_EQ(file.read(), "content");
}

TEST(OpenFile, SaysWhyAFileCannotBeRead) {
  const testing::TempDir folder;
  const fs::path loop = folder.path() / "loop";
  fs::create_symlink("loop", loop);
  const fs::path dangling = folder.path() / "dangling";
  fs::create_symlink("nowhere", dangling);
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& [path, words] : {std::pair<fs::path, const char*>{loop, "symbolic links"},
                                    {dangling, "a link to a file that is not there"},
                                    {folder.path() / "absent", "no such file"},
                                    {folder.path() / std::string(300, 'a'), "too long"},
                                    {folder.path(), "a directory"},
                                    {pipe, "a device or a pipe"},
                                    {"/dev/zero", "a device or a pipe"}}) {
    EXPECT_THAT(reason(path), ::testing::StartsWith("[file] " + path.string() + ": "));
    EXPECT_THAT(reason(path), ::testing::HasSubstr(words));
  }
}

TEST(OpenFile, NoticesThatAFileBecameShorter) {
  const testing::TempDir folder;
  const fs::path path = folder.write("a", std::string(10'000, 'x'));
  const OpenFile file(path);
  fs::resize_file(path, 5000);
  EXPECT_THROW(file.read(), Error);
}

TEST(OpenFile, WhatCannotBeLookedAtMayExist) {
  const testing::TempDir folder;
  fs::create_symlink("loop", folder.path() / "loop");
  const fs::path file = folder.write("file", "x");
  EXPECT_TRUE(may_exist(file));
  EXPECT_TRUE(may_exist(folder.path() / "loop"));
  EXPECT_TRUE(may_exist(folder.path() / std::string(300, 'a')));
  EXPECT_FALSE(may_exist(folder.path() / "absent"));
  EXPECT_FALSE(may_exist(file / "below a file"));
}

}  // namespace
}  // namespace unmask
