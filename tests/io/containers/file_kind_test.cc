#include "io/containers/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/containers/gguf.h"
#include "io/containers/safetensors.h"
#include "io/json_file.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDir;

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') +
    "\nsize 4976698672\n";

TEST(FileKind, NamesWhatAFileIs) {
  EXPECT_THAT(file_kind(kPointer),
              AllOf(HasSubstr("Git LFS pointer"), HasSubstr("4976698672"), HasSubstr("git lfs")));
  EXPECT_THAT(file_kind("\n <!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(file_kind(std::string("PK\x03\x04\0\0", 6)), HasSubstr("PyTorch"));
  EXPECT_THAT(file_kind("GGUF\x03"), HasSubstr("GGUF"));
  EXPECT_EQ(file_kind("{\"a\": 1}"), "");
  EXPECT_EQ(file_kind(""), "");
}

TEST(FileKind, EveryReaderSaysIt) {
  const TempDir dir;
  const std::filesystem::path file = dir.write("x", kPointer);
  const auto reason = [&](const std::function<void()>& read) -> std::string {
    try {
      read();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const auto says = AllOf(HasSubstr(file.string()), HasSubstr("Git LFS pointer"));
  EXPECT_THAT(reason([&] { SafetensorsFile{file}; }), says);
  EXPECT_THAT(reason([&] { GgufFile{file}; }), says);
  EXPECT_THAT(reason([&] { read_json_file(file); }), says);
  EXPECT_THAT(reason([&] { read_text_file(file, 1000); }), says);
}

TEST(FileKind, AHeaderMayBeginLikeAnotherFormat) {
  // 640 and 1152 in little-endian begin like pickles, 35615 like gzip.
  for (const size_t length : {size_t{640}, size_t{1152}, size_t{35615}}) {
    std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
    header.resize(length, ' ');
    std::string file(8, '\0');
    file[0] = static_cast<char>(length & 0xff);
    file[1] = static_cast<char>(length >> 8);
    const TempDir dir;
    EXPECT_NO_THROW(SafetensorsFile{dir.write("x", file + header + "x")}) << length;
  }
}

}  // namespace
}  // namespace unmask
