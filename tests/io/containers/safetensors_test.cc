#include "io/containers/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>

#include "core/error.h"
#include "support/fuzz.h"
#include "support/safetensors_bytes.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::safetensors_bytes;
using ::testing::StartsWith;
using testing::TempDir;

/// The reason for refusing a file with this content, "" when it loads.
std::string reason_for_bytes(std::string_view content) {
  const TempDir dir;
  try {
    const SafetensorsFile file(dir.write("x.safetensors", content));
    return "";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith("[")) << "must say which reader refused";
    return error.what();
  }
}

std::string reason_for_header(std::string_view header, size_t data_bytes = 0) {
  return reason_for_bytes(safetensors_bytes(header, std::string(data_bytes, '\0')));
}

TEST(Safetensors, ReadsTensorsMetadataAndUnalignedData) {
  const TempDir dir;
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]},)"
      R"("a":{"shape":[3],"data_offsets":[0,3],"dtype":"U8"}} )";
  const std::string data =
      std::string("\x01\x02\x03", 3) + std::string("\0\0\x80\x3f\0\0\0\x40", 8);
  const SafetensorsFile file(dir.write("x.safetensors", safetensors_bytes(header, data)));

  EXPECT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const StoredTensor& a = file.at("a");
  EXPECT_EQ(a.element_type(), DType::u8);
  EXPECT_EQ(a.elements(), 3);
  EXPECT_EQ(a.bytes[2], std::byte{3});
  const StoredTensor& b = file.at("b");
  EXPECT_THAT(b.shape, ElementsAre(1, 2));
  float values[2];
  to_f32(b.bytes.data(), b.element_type(), 2, values);
  EXPECT_THAT(values, ElementsAre(1.0F, 2.0F));
  EXPECT_THROW(file.at("c"), Error);
}

TEST(Safetensors, ATruncatedFileIsCounted) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[100],"data_offsets":[0,100]}})";
  const size_t whole = 8 + header.size() + 100;
  const std::string reason = reason_for_bytes(safetensors_bytes(header, std::string(40, 'x')));
  EXPECT_THAT(reason, HasSubstr(fmt::format("truncated: {} of {} bytes", whole - 60, whole)));
  EXPECT_THAT(reason, HasSubstr("download it again"));
  EXPECT_THAT(reason_for_bytes(safetensors_bytes(header, "").substr(0, 20)),
              HasSubstr("truncated"));
}

TEST(Safetensors, StaysValidWhenMoved) {
  const TempDir dir;
  SafetensorsFile first(dir.write(
      "x.safetensors",
      safetensors_bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "hi")));
  const SafetensorsFile second = std::move(first);
  EXPECT_EQ(second.at("a").bytes[1], std::byte{'i'});
}

TEST(Safetensors, ScalarHasOneElementAndZeroSizesNone) {
  const TempDir dir;
  const SafetensorsFile file(
      dir.write("x.safetensors",
                safetensors_bytes(R"({"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                                  R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[1,1]}})",
                                  "x")));
  EXPECT_EQ(file.at("s").elements(), 1);
  EXPECT_EQ(file.at("e").elements(), 0);
  EXPECT_TRUE(file.at("e").bytes.empty());
}

TEST(Safetensors, UnsupportedElementTypesLoadButDoNotConvert) {
  const TempDir dir;
  const SafetensorsFile file(dir.write(
      "x.safetensors",
      safetensors_bytes(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "x")));
  EXPECT_THROW(file.at("a").element_type(), Error);
}

TEST(Safetensors, RefusesEveryHeaderThatIsNotExactlyTheFormat) {
  EXPECT_EQ(reason_for_header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1), "");
  EXPECT_THAT(reason_for_header(R"({"a":1})"), HasSubstr("found a number"));
  EXPECT_THAT(reason_for_header(R"({"a":null})"), HasSubstr("found null"));
  EXPECT_THAT(reason_for_header(R"({"a":[]})"), HasSubstr("found an array"));
  EXPECT_THAT(reason_for_header(R"({"a":{"dtype":8}})"), HasSubstr("found a number"));
  EXPECT_THAT(reason_for_header(R"({"a":{"dtype":["U8"]}})"), HasSubstr("found an array"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":{}}})"), HasSubstr("found an object"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[1.0]}})"), HasSubstr("no 64-bit integer"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[1e2]}})"), HasSubstr("no 64-bit integer"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[-0]}})"), HasSubstr("negative"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[18446744073709551615]}})"),
              HasSubstr("too large"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[18446744073709551616]}})"),
              HasSubstr("no 64-bit integer"));
  EXPECT_THAT(reason_for_header(R"({"a":{"shape":[[1]]}})"), HasSubstr("found an array"));
  EXPECT_THAT(reason_for_header(R"({"a":{"data_offsets":[0,1,2]}})"), HasSubstr("two numbers"));
  EXPECT_THAT(reason_for_header(R"({"a":{"data_offsets":[0]}})"), HasSubstr("two numbers"));
  EXPECT_THAT(reason_for_header(R"({"a":{"kind":"x"}})"), HasSubstr("unknown key"));
  EXPECT_THAT(reason_for_header(R"({"a":{"dtype":"U8","dtype":"U8"}})"), HasSubstr("twice"));
  EXPECT_THAT(reason_for_header(R"({"__metadata__":{"a":"1","a":"2"}})"), HasSubstr("twice"));
  EXPECT_THAT(reason_for_header(R"({"__metadata__":{},"__metadata__":{}})"), HasSubstr("twice"));
  EXPECT_THAT(reason_for_header(R"({"__metadata__":"x"})"), HasSubstr("found a string"));
  EXPECT_THAT(reason_for_header(R"({}{})"), HasSubstr("no JSON"));
  EXPECT_THAT(reason_for_header("{}\n"), HasSubstr("does not end"));
}

TEST(Safetensors, RefusesAZeroByteBehindTheHeader) {
  EXPECT_THAT(reason_for_header(std::string_view("{}\0}", 4)), HasSubstr("zero byte"));
}

TEST(Safetensors, RefusesDuplicatesEvenOfEmptyTensors) {
  const std::string_view header = R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                                  R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})";
  EXPECT_THAT(reason_for_header(header), HasSubstr("'a' is described twice"));
}

TEST(Safetensors, SubByteTypesMustFillWholeBytes) {
  EXPECT_EQ(reason_for_header(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", 2), "");
  EXPECT_THAT(reason_for_header(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2),
              HasSubstr("whole number of bytes"));
}

TEST(Safetensors, OverflowIsAnErrorEvenWhenAZeroFollows) {
  const std::string_view header =
      R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})";
  EXPECT_THAT(reason_for_header(header), HasSubstr("overflows"));
}

TEST(Safetensors, HostileNamesStayOnOneLine) {
  const std::string reason = reason_for_header(R"({"a\n\u001b[31m":{"dtype":"X"}})");
  EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
  EXPECT_EQ(reason.find('\x1b'), std::string::npos) << reason;
}

TEST(Safetensors, FileErrorsSayWhatIsWrong) {
  const TempDir dir;
  const auto reason = [](const std::filesystem::path& path) -> std::string {
    try {
      const SafetensorsFile file(path);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_THAT(reason(dir.path() / "none"), HasSubstr("no such file"));
  EXPECT_THAT(reason(dir.path()), HasSubstr("is a directory"));
  ASSERT_EQ(::mkfifo((dir.path() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(reason(dir.path() / "pipe"), HasSubstr("no regular file"));
  EXPECT_THAT(reason(dir.write("empty", "")), HasSubstr("is empty"));
}

TEST(Safetensors, DamagedFilesLoadOrAreRefused) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[3,11]},)"
      R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}} )";
  const std::string valid = safetensors_bytes(header, std::string(11, '\x7f'));
  const auto counts = testing::fuzz(valid, 8 + header.size(), 4000, [](const auto& path) {
    const SafetensorsFile file(path);
    unsigned sum = 0;  // touch every byte a tensor claims
    for (const auto& [name, tensor] : file.tensors()) {
      for (const std::byte b : tensor.bytes) sum += std::to_integer<unsigned>(b);
      ASSERT_GE(tensor.elements(), 0);
    }
    ASSERT_LT(sum, 1U << 20);
  });
  EXPECT_GT(counts.loaded, 10);  // flips in names and data are no defect
  EXPECT_GT(counts.refused, 1000);
}

TEST(MappedFile, ReleasedPagesCanStillBeRead) {
  const TempDir dir;
  std::string content(64 << 10, 'x');
  content[40'000] = 'y';
  const MappedFile file(dir.write("pages", content));
  file.release(file.bytes());
  file.release(file.bytes().subspan(100, 5000));
  file.release({});
  EXPECT_EQ(file.bytes()[40'000], std::byte{'y'});
  EXPECT_THROW(file.release(std::as_bytes(std::span(content))), LogicError);
}

}  // namespace
}  // namespace unmask
