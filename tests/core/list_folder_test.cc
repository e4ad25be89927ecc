#include "core/list_folder.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace unmask {
namespace {

TEST(ListFolder, NamesEverythingThatLiesThereInOrder) {
  const testing::TempDir dir;
  for (const char* name : {"b", ".hidden", "a file", "c.gguf"}) dir.write(name, "");
  std::filesystem::create_directory(dir.path() / "aa");
  std::filesystem::create_symlink("nowhere", dir.path() / "link");
  const auto at = [&](const char* name) { return dir.path() / name; };
  EXPECT_EQ(list_folder(dir.path()), (std::vector{at(".hidden"), at("a file"), at("aa"), at("b"),
                                                  at("c.gguf"), at("link")}));
}

TEST(ListFolder, IsEmptyWhereNothingCanBeRead) {
  const testing::TempDir dir;
  dir.write("file", "");
  EXPECT_TRUE(list_folder(dir.path() / "missing").empty());
  EXPECT_TRUE(list_folder(dir.path() / "file").empty());
  EXPECT_TRUE(list_folder("").empty());
}

}  // namespace
}  // namespace unmask
