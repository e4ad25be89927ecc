#include "io/model_folder.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/containers/packed_writer.h"
#include "io/json_file.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class PackedFolders : public ::testing::Test {
 protected:
  PackedFolders() {
    std::ofstream out(packed_, std::ios::binary);
    PackedWriter writer("int8", "x", out);
    writer.add_file("config.json", "{\"a\": 1}");
    writer.add_file("more/b.jinja", "b");
    writer.add_file("more/a.jinja", "a");
    writer.finish();
  }
  testing::TempDir dir_;
  fs::path packed_ = dir_.path() / "model.unmask";
};

TEST_F(PackedFolders, APackedFileReadsAsAFolder) {
  EXPECT_TRUE(is_model_folder(packed_));
  EXPECT_TRUE(has_file(packed_ / "config.json"));
  EXPECT_TRUE(has_file(packed_ / "more" / "a.jinja"));
  EXPECT_FALSE(has_file(packed_ / "other.json"));
  EXPECT_FALSE(has_file(packed_ / "more"));
  EXPECT_EQ(read_text_file(packed_ / "config.json", 100), "{\"a\": 1}");
  EXPECT_THAT(files_in(packed_ / "more"),
              ElementsAre(packed_ / "more" / "a.jinja", packed_ / "more" / "b.jinja"));
  EXPECT_FALSE(has_gguf_metadata(packed_));
}

TEST_F(PackedFolders, SizesAndNamesAreCheckedInside) {
  EXPECT_THROW(read_text_file(packed_ / "config.json", 3), Error);
  EXPECT_THROW(read_text_file(packed_ / "none.json", 100), Error);
}

TEST_F(PackedFolders, AFolderIsOne) {
  const fs::path file = dir_.write("config.json", "{}");
  EXPECT_TRUE(is_model_folder(dir_.path()));
  EXPECT_FALSE(is_model_folder(file));
  EXPECT_TRUE(has_file(file));
  EXPECT_FALSE(has_file(dir_.path() / "none"));
  EXPECT_THAT(files_in(dir_.path()), ElementsAre(file, packed_));
  EXPECT_TRUE(files_in(dir_.path() / "none").empty());
  EXPECT_EQ(read_inside_packed(file, 100), std::nullopt);
}

}  // namespace
}  // namespace unmask
