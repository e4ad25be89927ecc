#include "io/containers/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "support/safetensors_bytes.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::safetensors_bytes;
using testing::TempDir;

constexpr std::string_view kIndex = "model.safetensors.index.json";

std::string one_byte_tensors(const std::vector<std::string>& names) {
  std::string header = "{";
  for (size_t i = 0; i < names.size(); ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                          i == 0 ? "" : ",", names[i], i, i + 1);
  }
  return safetensors_bytes(header + "}", std::string(names.size(), 'x'));
}

std::string reason_for(const std::filesystem::path& directory) {
  try {
    const Checkpoint checkpoint(directory);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Checkpoint, ReadsOneFile) {
  const TempDir dir;
  dir.write("model.safetensors", one_byte_tensors({"b", "a"}));
  const Checkpoint checkpoint(dir.path());
  EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b"));
  EXPECT_TRUE(checkpoint.contains("a"));
  EXPECT_FALSE(checkpoint.contains("c"));
  EXPECT_EQ(checkpoint.total_bytes(), 2);
  checkpoint.release("a");
  EXPECT_EQ(checkpoint.at("a").bytes[0], std::byte{'x'});
  EXPECT_THROW(checkpoint.at("c"), Error);
}

TEST(Checkpoint, FingerprintsFollowNamesAndBytes) {
  const auto fingerprint = [](const std::vector<std::string>& names, const std::string& data) {
    const TempDir dir;
    std::string file = one_byte_tensors(names);
    file.replace(file.size() - data.size(), data.size(), data);
    dir.write("model.safetensors", file);
    return Checkpoint(dir.path()).fingerprint();
  };
  const uint64_t first = fingerprint({"a", "b"}, "xx");
  EXPECT_EQ(first, fingerprint({"a", "b"}, "xx"));
  EXPECT_NE(first, fingerprint({"a", "c"}, "xx"));
  EXPECT_NE(first, fingerprint({"a", "b"}, "xy"));
}

TEST(Checkpoint, ReadsShardsAndStaysValidWhenMoved) {
  const TempDir dir;
  dir.write("one.safetensors", one_byte_tensors({"a", "unlisted"}));
  dir.write("two.safetensors", one_byte_tensors({"b"}));
  dir.write(std::string(kIndex), R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  Checkpoint first(dir.path());
  const Checkpoint second = std::move(first);
  EXPECT_THAT(second.names(), ElementsAre("a", "b", "unlisted"));
  EXPECT_EQ(second.at("b").bytes[0], std::byte{'x'});
}

TEST(Checkpoint, MissingShardsAreCounted) {
  const TempDir dir;
  dir.write("one.safetensors", one_byte_tensors({"a"}));
  dir.write(std::string(kIndex), R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors",)"
                                 R"("c":"three.safetensors"}})");
  EXPECT_THAT(reason_for(dir.path()), ::testing::AllOf(HasSubstr("2 of 3"), HasSubstr("three")));
}

TEST(Checkpoint, ALinkToNothingSaysSo) {
  const TempDir dir;
  std::filesystem::create_symlink("blobs/none", dir.path() / "model.safetensors");
  EXPECT_THAT(reason_for(dir.path()), HasSubstr("a link to a file that is not there"));
}

TEST(Checkpoint, TensorsCanBeRenamed) {
  const TempDir dir;
  dir.write("model.safetensors", one_byte_tensors({"p.a", "p.b", "c"}));
  Checkpoint checkpoint(dir.path());
  checkpoint.rename({{"a", "p.a"}, {"b", "p.b"}, {"c", "c"}});
  EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(checkpoint.at("a").bytes[0], std::byte{'x'});
}

TEST(Checkpoint, RefusesATensorInTwoShards) {
  const TempDir dir;
  dir.write("one.safetensors", one_byte_tensors({"a", "b"}));
  dir.write("two.safetensors", one_byte_tensors({"b"}));
  dir.write(std::string(kIndex), R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_THAT(reason_for(dir.path()), HasSubstr("'b' is also in one.safetensors"));
}

TEST(Checkpoint, RefusesIndexesThatAreWrong) {
  const TempDir dir;
  dir.write("one.safetensors", one_byte_tensors({"a"}));
  const auto reason = [&](std::string_view index) {
    dir.write(std::string(kIndex), index);
    return reason_for(dir.path());
  };
  EXPECT_EQ(reason(R"({"weight_map":{"a":"one.safetensors"}})"), "");
  EXPECT_THAT(reason("[]"), HasSubstr("weight_map"));
  EXPECT_THAT(reason(R"({"weight_map":[]})"), HasSubstr("weight_map"));
  EXPECT_THAT(reason(R"({"weight_map":{"a":"one.safetensors","a":"one.safetensors"}})"),
              HasSubstr("twice"));
  EXPECT_THAT(reason("{"), HasSubstr("not well-formed JSON"));
  EXPECT_THAT(reason(std::string(5000, '[')), HasSubstr("deeper"));
  for (const char* name : {R"("..")", R"("")", R"("/etc/passwd")", R"("a/b")", R"("a\\b")",
                           R"("a\u0000b")", "3", "null"}) {
    EXPECT_THAT(reason(fmt::format(R"({{"weight_map":{{"a":{}}}}})", name)),
                HasSubstr("expected the name of a file"))
        << name;
  }
}

TEST(Checkpoint, SaysWhatADirectoryLacks) {
  const TempDir dir;
  EXPECT_THAT(reason_for(dir.path()), HasSubstr("neither"));
  const std::vector<std::pair<const char*, const char*>> others{
      {"dream.gguf", "GGUF"},
      {"pytorch_model.bin", "PyTorch"},
      {"model-00001-of-00002.safetensors", "index"},
      {"adapter_model.safetensors", "LoRA"}};
  for (const auto& [file, what] : others) {
    dir.write(file, "x");
    EXPECT_THAT(reason_for(dir.path()), HasSubstr(what));
  }
  EXPECT_THAT(reason_for(dir.path() / "none"), HasSubstr("no such directory"));
}

}  // namespace
}  // namespace unmask
