#include "io/containers/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "support/gguf_bytes.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::field;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TempDir;

std::string reason_for(const std::string& content) {
  const TempDir dir;
  try {
    const GgufFile file(dir.write("x.gguf", content));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Gguf, ReadsValuesAndTensors) {
  GgufWriter writer;
  writer.text("name", "tiny").u32("n", 7).f32("f", 0.5F).flag("yes", true);
  writer.key("minus", GgufType::i8, field<int8_t>(-3));
  writer.texts("list", {"a", "", "bc"});
  writer.key("numbers", GgufType::array,
             field(static_cast<uint32_t>(GgufType::i32)) + field<uint64_t>(2) + field<int32_t>(1) +
                 field<int32_t>(2));
  writer.tensor("a", {8, 4}).tensor("b", {3});
  const TempDir dir;
  const GgufFile file(dir.write("x.gguf", writer.bytes()));

  EXPECT_EQ(file.version(), 3U);
  EXPECT_EQ(std::get<std::string_view>(file.metadata().at("name").value), "tiny");
  EXPECT_EQ(std::get<uint64_t>(file.metadata().at("n").value), 7U);
  EXPECT_EQ(std::get<double>(file.metadata().at("f").value), 0.5);
  EXPECT_EQ(std::get<bool>(file.metadata().at("yes").value), true);
  EXPECT_EQ(std::get<int64_t>(file.metadata().at("minus").value), -3);
  EXPECT_THAT(std::get<GgufArray>(file.metadata().at("list").value).strings,
              ElementsAre("a", "", "bc"));
  const auto& numbers = std::get<GgufArray>(file.metadata().at("numbers").value);
  EXPECT_EQ(numbers.count, 2U);
  EXPECT_EQ(numbers.bytes.size(), 8U);
  const GgufTensor& a = file.tensors().at("a");
  EXPECT_THAT(a.sizes, ElementsAre(8, 4));
  EXPECT_EQ(a.type->name, "F32");
  EXPECT_EQ(a.bytes.size(), 128U);
  EXPECT_EQ(file.tensors().at("b").bytes.size(), 12U);
}

TEST(Gguf, ReadsVersionTwoAndFilesWithoutTensors) {
  EXPECT_EQ(reason_for(GgufWriter().u32("n", 1).tensor("a", {1}).bytes(2)), "");
  EXPECT_EQ(reason_for("GGUF" + field<uint32_t>(3) + field<uint64_t>(0) + field<uint64_t>(0)), "");
  EXPECT_THAT(reason_for(GgufWriter().bytes(4)), HasSubstr("version 4"));
}

TEST(Gguf, RefusesBadNamesTypesAndValues) {
  EXPECT_THAT(reason_for(GgufWriter().u32("", 1).u32("bb", 1).bytes()), HasSubstr("1 to 65535"));
  EXPECT_THAT(reason_for(GgufWriter().u32(std::string_view("a\0b", 3), 1).bytes()),
              HasSubstr("without NUL"));
  EXPECT_THAT(reason_for(GgufWriter().tensor(std::string(64, 'n'), {1}).bytes()),
              HasSubstr("1 to 63"));
  EXPECT_THAT(reason_for(GgufWriter().key("b", GgufType::boolean, "\x02").bytes()),
              HasSubstr("boolean of value 2"));
  EXPECT_THAT(reason_for(GgufWriter().f32("general.alignment", 32).bytes()),
              HasSubstr("expected u32"));
  EXPECT_THAT(reason_for(GgufWriter().u32("general.alignment", 1U << 21).bytes()),
              HasSubstr("power of two"));
}

TEST(Gguf, RefusesMoreThanItsLimits) {
  const auto counted = [](uint64_t tensors, uint64_t keys) {
    return reason_for("GGUF" + field<uint32_t>(3) + field(tensors) + field(keys) +
                      std::string(size_t{36} << 20, '\0'));
  };
  EXPECT_THAT(counted(0, 65536), HasSubstr("1 to 65535")) << "the first key has no name";
  EXPECT_THAT(counted(0, 65537), HasSubstr("65537 keys"));
  EXPECT_THAT(counted(1 << 20, 0), HasSubstr("1 to 63"));
  EXPECT_THAT(counted((1 << 20) + 1, 0), HasSubstr("1048577 tensors"));
}

TEST(Gguf, HugeArraysOfEmptyStringsCostNothing) {
  const std::string array =
      field(static_cast<uint32_t>(GgufType::string)) + field<uint64_t>(uint64_t{1} << 40);
  EXPECT_THAT(reason_for(GgufWriter().key("a", GgufType::array, array).bytes()),
              HasSubstr("1099511627776 array elements"));
}

TEST(Gguf, HostileNamesStayOnOneLine) {
  const std::string reason = reason_for(GgufWriter().tensor("a\n\x1b[31m", {0}).bytes());
  EXPECT_NE(reason, "");
  EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
}

TEST(Gguf, NamesTheTypesThatItDoesNotRead) {
  EXPECT_THAT(reason_for(GgufWriter().tensor("blk.0.x", {256}, 16, "").bytes()),
              AllOf(HasSubstr("'blk.0.x'"), HasSubstr("IQ2_XXS")));
  EXPECT_THAT(reason_for(GgufWriter().tensor("a", {256}, 99, "").bytes()),
              HasSubstr("unknown ggml type 99"));
}

}  // namespace
}  // namespace unmask
