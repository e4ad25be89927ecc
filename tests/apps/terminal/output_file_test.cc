#include "apps/terminal/output_file.h"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "io/json_file.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void write(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.stream() << text;
  file.commit();
}

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  stat(path.c_str(), &found);
  return found.st_mode & 07777;
}

TEST(OutputFile, AppearsOnlyWhenCommitted) {
  const testing::TempDir directory;
  const fs::path path = directory.path() / "trace.csv";
  {
    OutputFile file(path);
    file.stream() << "half";
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_TRUE(fs::is_empty(directory.path())) << "nothing is left behind";
  write(path, "whole");
  EXPECT_EQ(read_text_file(path, 100), "whole");
}

TEST(OutputFile, ASignalHandlerRemovesWhatIsNotCommitted) {
  const testing::TempDir directory;
  OutputFile first(directory.path() / "first");
  OutputFile second(directory.path() / "second");
  second.commit();
  remove_temporaries();
  EXPECT_FALSE(fs::exists(directory.path() / "first"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1) << "the second alone";
}

TEST(OutputFile, SaysWhenNothingCanBeWritten) {
  EXPECT_THROW(OutputFile("/nonexistent/trace.csv"), Error);
  const testing::TempDir directory;
  EXPECT_THROW(OutputFile(directory.path()), Error);
}

TEST(OutputFile, AFullDiskIsFoundOutWhenItIsCommitted) {
  OutputFile file("/proc/self/fd/" + std::to_string(open("/dev/full", O_WRONLY | O_CLOEXEC)));
  file.stream() << std::string(1 << 20, 'x');
  try {
    file.commit();
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("No space left"));
  }
}

TEST(OutputFile, ReplacesWhatALinkPointsToAndKeepsItsMode) {
  const testing::TempDir directory;
  const fs::path target = directory.write("target", "before");
  fs::permissions(target, fs::perms(0640));
  fs::create_symlink("target", directory.path() / "link");
  fs::create_symlink("link", directory.path() / "link-to-link");
  write(directory.path() / "link-to-link", "after");
  EXPECT_TRUE(fs::is_symlink(directory.path() / "link-to-link"));
  EXPECT_TRUE(fs::is_symlink(directory.path() / "link"));
  EXPECT_EQ(read_text_file(target, 100), "after");
  EXPECT_EQ(mode_of(target), 0640U);
}

TEST(OutputFile, CreatesTheTargetOfADanglingLink) {
  const testing::TempDir directory;
  fs::create_symlink("later", directory.path() / "link");
  write(directory.path() / "link", "x");
  EXPECT_TRUE(fs::is_symlink(directory.path() / "link"));
  EXPECT_EQ(read_text_file(directory.path() / "later", 100), "x");
}

TEST(OutputFile, WritesIntoANamedPipe) {
  const testing::TempDir directory;
  const fs::path pipe = directory.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  write(pipe, "through");
  std::array<char, 100> got{};
  EXPECT_EQ(read(reader, got.data(), got.size()), 7);
  EXPECT_STREQ(got.data(), "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
  close(reader);
}

TEST(OutputFile, WritesToAnOpenFileWhereItStands) {
  const testing::TempDir directory;
  const fs::path path = directory.path() / "log";
  std::FILE* log = std::fopen(path.c_str(), "we");
  std::fputs("first\n", log);
  std::fflush(log);
  write("/dev/fd/" + std::to_string(fileno(log)), "second\n");
  std::fputs("third\n", log);
  std::fclose(log);
  EXPECT_EQ(read_text_file(path, 100), "first\nsecond\nthird\n");
}

}  // namespace
}  // namespace unmask
