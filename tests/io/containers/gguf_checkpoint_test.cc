#include "io/containers/gguf_checkpoint.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "support/gguf_bytes.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::field;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempDir;

std::string name_of(int part, int count) {
  return fmt::format("m-{:05}-of-{:05}.gguf", part, count);
}

/// A part with one tensor named after it.
std::string part(int number, int count, int tensors, const std::string& tensor) {
  GgufWriter writer;
  if (number == 1) writer.text("general.architecture", "llada");
  writer.key("split.no", GgufType::u16, field(static_cast<uint16_t>(number - 1)));
  writer.key("split.count", GgufType::u16, field(static_cast<uint16_t>(count)));
  writer.key("split.tensors.count", GgufType::i32, field(tensors));
  return writer.tensor(tensor, {8, 4}).bytes();
}

class GgufParts : public ::testing::Test {
 protected:
  GgufParts() {
    for (int i = 1; i <= 3; ++i)
      dir_.write(name_of(i, 3), part(i, 3, 3, std::string(1, "abc"[i - 1])));
  }
  std::string reason(const std::string& file = name_of(1, 3)) const {
    try {
      const GgufCheckpoint checkpoint(dir_.path() / file);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  TempDir dir_;
};

TEST_F(GgufParts, AnyPartOpensAll) {
  for (int i = 1; i <= 3; ++i) {
    const GgufCheckpoint checkpoint(dir_.path() / name_of(i, 3));
    EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b", "c"));
    EXPECT_EQ(checkpoint.parts(), 3);
    EXPECT_EQ(checkpoint.path(), dir_.path() / name_of(1, 3));
    EXPECT_TRUE(checkpoint.first().metadata().contains("general.architecture"));
    EXPECT_THAT(checkpoint.at("b").shape, ElementsAre(4, 8)) << "slowest-running first";
    EXPECT_EQ(checkpoint.total_bytes(), 3 * 128);
    checkpoint.release("b");
  }
}

TEST_F(GgufParts, MissingPartsAreCounted) {
  fs::remove(dir_.path() / name_of(2, 3));
  EXPECT_THAT(reason(name_of(3, 3)),
              AllOf(HasSubstr("1 of the 3 parts"), HasSubstr(name_of(2, 3))));
}

TEST_F(GgufParts, PartsAreWhatTheirNamesSay) {
  dir_.write(name_of(2, 3), part(3, 3, 3, "b"));
  EXPECT_THAT(reason(), AllOf(HasSubstr(name_of(2, 3)), HasSubstr("split.no is 2, expected 1")));
  dir_.write(name_of(2, 3), part(2, 4, 3, "b"));
  EXPECT_THAT(reason(), HasSubstr("a part of 4 by its key split.count, 3 by its name"));
  dir_.write(name_of(2, 3), GgufWriter().tensor("b", {8, 4}).bytes());
  EXPECT_THAT(reason(), HasSubstr("a part of 1"));
  dir_.write(name_of(2, 3), part(2, 3, 3, "c"));
  EXPECT_THAT(reason(), HasSubstr("tensor 'c' is also in " + name_of(2, 3)));
  dir_.write("alone.gguf", part(1, 3, 3, "a"));
  EXPECT_THAT(reason("alone.gguf"), HasSubstr("NAME-00001-of-0000N.gguf"));
}

TEST_F(GgufParts, AllTensorsMustBeThere) {
  dir_.write(name_of(1, 3), part(1, 3, 4, "a"));
  EXPECT_THAT(reason(), HasSubstr("3 tensors in 3 files, expected 4"));
}

TEST(GgufCheckpoint, BlocksAreKnownByTheirFormat) {
  const TempDir dir;
  GgufWriter writer;
  writer.tensor("x", {32, 2}, 8, std::string(68, '\0')).tensor("y", {2}, 30, "1234");
  const GgufCheckpoint checkpoint(dir.write("any name.gguf", writer.bytes()));
  EXPECT_EQ(checkpoint.at("x").blocks, BlockFormat::q8_0);
  EXPECT_EQ(checkpoint.at("x").dtype, "Q8_0");
  EXPECT_EQ(checkpoint.at("y").blocks, std::nullopt);
  EXPECT_EQ(checkpoint.at("y").element_type(), DType::bf16);
  EXPECT_TRUE(is_gguf_file(checkpoint.path()));
  EXPECT_FALSE(is_gguf_file(dir.path()));
  EXPECT_FALSE(is_gguf_file(dir.write("z.gguf", "GGU")));
}

}  // namespace
}  // namespace unmask
