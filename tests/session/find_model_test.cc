#include "session/find_model.h"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "session/adapters.h"
#include "support/environment.h"
#include "support/lora_files.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDir;

const std::string kRevision(40, 'a');

class FindModel : public ::testing::Test {
 protected:
  /// Makes a folder and in it the file `name`.
  fs::path make(const std::string& folder, const std::string& name = "config.json") const {
    fs::create_directories(dir_.path() / folder);
    dir_.write(folder + "/" + name, "{}");
    return dir_.path() / folder;
  }
  std::string reason(const std::string& given) const {
    try {
      find_model(given, {dir_.path() / "hub", dir_.path() / "own"});
      return "";
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
  }
  fs::path find(const fs::path& given) const {
    return find_model(given.string(), {dir_.path() / "hub", dir_.path() / "own"});
  }

  TempDir dir_;
  mutable ErrorCode code_ = ErrorCode::other;
};

TEST_F(FindModel, AModelFolderIsItself) {
  const fs::path model = make("model");
  EXPECT_EQ(find(model), model);
  EXPECT_EQ(find(model / ""), model);
}

TEST_F(FindModel, ACacheIsOpenedThroughItsMainReference) {
  const std::string root = "hub/models--ORG--Some-Model";
  make(root + "/snapshots/old");
  const fs::path main = make(root + "/snapshots/" + kRevision);
  EXPECT_THAT(reason((dir_.path() / root).string()),
              AllOf(HasSubstr("snapshots"), HasSubstr("old")));
  fs::create_directories(dir_.path() / root / "refs");
  dir_.write(root + "/refs/main", kRevision + "\n");
  EXPECT_EQ(find(dir_.path() / root), main);
  EXPECT_EQ(find(dir_.path() / root / "snapshots"), main);
  EXPECT_EQ(find("ORG/Some-Model"), main);
  EXPECT_EQ(find("https://huggingface.co/ORG/Some-Model/"), main);
  EXPECT_EQ(hub_name(main), "ORG/Some-Model");
  EXPECT_EQ(hub_name(dir_.path()), std::nullopt);
}

TEST_F(FindModel, TheOnlySnapshotNeedsNoReference) {
  const fs::path only = make("hub/models--o--n/snapshots/x");
  EXPECT_EQ(find(dir_.path() / "hub/models--o--n"), only);
  fs::create_directories(dir_.path() / "hub/models--o--none/snapshots");
  EXPECT_THAT(reason("o/none"), HasSubstr("without a snapshot"));
  EXPECT_THAT(reason((dir_.path() / "hub").string()), HasSubstr("models--o--n"));
}

TEST_F(FindModel, ANameThatIsNowhereComesWithTheDownload) {
  EXPECT_THAT(reason("GSAI-ML/LLaDA-8B-Instruct"),
              ::testing::EndsWith("download it: hf download GSAI-ML/LLaDA-8B-Instruct"));
  for (const char* path : {"/nonexistent", "./a/b", "nonexistent", "a/b/c", "../x"}) {
    EXPECT_THAT(reason(path),
                AllOf(HasSubstr("no such directory"), ::testing::Not(HasSubstr("download"))));
  }
}

TEST_F(FindModel, OurOwnCacheHasFoldersByName) {
  const fs::path model = make("own/ORG/Some-Model");
  EXPECT_EQ(find("ORG/Some-Model"), model);
  EXPECT_THAT(reason("ORG/Other"), AllOf(HasSubstr("hub or "), HasSubstr("own")));
  const fs::path downloaded = make("hub/models--ORG--Some-Model/snapshots/" + kRevision);
  EXPECT_EQ(find("ORG/Some-Model"), downloaded)
      << "what the hub's tools keep up to date goes first";
}

TEST_F(FindModel, FilesSayWhatTheyAre) {
  const auto reason_of = [&](const std::string& name, std::string_view content) {
    return reason(dir_.write(name, content).string());
  };
  EXPECT_THAT(reason_of("m.gguf", "version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("LFS"));
  EXPECT_THAT(reason_of("m.safetensors", "\2"),
              HasSubstr("give its folder: " + dir_.path().string()));
  EXPECT_THAT(reason_of("config.json", "{}"), HasSubstr("give its folder"));
  EXPECT_THAT(reason_of("pytorch_model.bin", "PK\3\4"), HasSubstr("safetensors"));
  EXPECT_THAT(reason_of("m.pt", "?"), AllOf(HasSubstr("PyTorch"), HasSubstr("safetensors")));
  EXPECT_THAT(reason_of("m.bin", "version https://git-lfs.github.com/spec/v1\n"), HasSubstr("LFS"));
  EXPECT_THAT(reason_of("notes.txt", "hello"), HasSubstr("expected a GGUF file or"));
}

TEST_F(FindModel, FoldersSayWhatTheyHoldInstead) {
  testing::write_adapter(dir_, testing::lora_config(8, 16), {});
  EXPECT_THAT(reason(dir_.path().string()),
              AllOf(HasSubstr("LoRA adapter of rank 8"), HasSubstr("some/base")));
  EXPECT_EQ(code_, ErrorCode::adapter);
  dir_.write("config.json", "{}");
  EXPECT_THAT(reason(dir_.path().string()), HasSubstr("LoRA adapter of rank 8"));
  dir_.write("model.safetensors", "");
  EXPECT_EQ(find(dir_.path()), dir_.path()) << "an adapter beside a model";
  make("run/checkpoint-500");
  make("run/checkpoint-900");
  EXPECT_THAT(reason((dir_.path() / "run").string()), HasSubstr("checkpoint-500, checkpoint-900"));
  EXPECT_THAT(reason(make("empty", "README").string()), HasSubstr("neither config.json nor"));
}

TEST_F(FindModel, GgufFilesAreModels) {
  const auto write = [&](const std::string& name) { return dir_.write(name, "GGUF"); };
  make("one");
  const fs::path only = write("one/dream-Q4_K.gguf");
  EXPECT_EQ(find(only), only);
  EXPECT_EQ(find(dir_.path() / "one"), only) << "the configuration beside it has no weights";
  EXPECT_EQ(model_name(only), "dream-Q4_K");
  write("one/dream-Q8_0.gguf");
  EXPECT_THAT(reason((dir_.path() / "one").string()),
              AllOf(HasSubstr("2 GGUF models"), HasSubstr("one/dream-Q4_K.gguf, "),
                    HasSubstr("one/dream-Q8_0.gguf")));
  write("one/model.safetensors");
  EXPECT_EQ(find(dir_.path() / "one"), dir_.path() / "one");
}

TEST_F(FindModel, SplitGgufFilesAreOneModel) {
  fs::create_directories(dir_.path() / "split");
  const auto write = [&](const std::string& name) { return dir_.write("split/" + name, "GGUF"); };
  const fs::path second = write("m-00002-of-00002.gguf");
  EXPECT_EQ(find(second), second) << "opening it says what is missing";
  const fs::path first = write("m-00001-of-00002.gguf");
  EXPECT_EQ(find(second), first);
  EXPECT_EQ(find(dir_.path() / "split"), first);
}

TEST_F(FindModel, TheCacheHasGgufFilesByName) {
  const std::string root = "hub/models--o--n-GGUF/snapshots/x";
  const fs::path snapshot = make(root, "README.md");
  const fs::path small = dir_.write(root + "/m-Q4_0.gguf", "GGUF");
  EXPECT_EQ(find("o/n-GGUF"), small);
  const fs::path large = dir_.write(root + "/m-Q8_0.gguf", "GGUF");
  EXPECT_THAT(reason("o/n-GGUF"), HasSubstr("o/n-GGUF/m-Q4_0.gguf, o/n-GGUF/m-Q8_0.gguf"));
  EXPECT_EQ(find("o/n-GGUF/m-Q8_0.gguf"), large);
  EXPECT_EQ(model_name(large), "o/n-GGUF/m-Q8_0.gguf");
  EXPECT_EQ(model_name(snapshot), "o/n-GGUF");
  EXPECT_THAT(reason("o/n-GGUF/m-F16.gguf"), HasSubstr("hf download o/n-GGUF m-F16.gguf"));
  EXPECT_THAT(reason("o/other/m-F16.gguf"), HasSubstr("hf download o/other"));
}

TEST_F(FindModel, TheCacheIsWhereTheToolsPutIt) {
  const testing::EnvironmentVariable no_hub("HF_HUB_CACHE", "");
  const testing::EnvironmentVariable no_old_hub("HUGGINGFACE_HUB_CACHE", "");
  const testing::EnvironmentVariable no_tools("HF_HOME", "");
  const testing::EnvironmentVariable no_caches("XDG_CACHE_HOME", "");
  const testing::EnvironmentVariable no_home("HOME", "");
  EXPECT_EQ(hub_cache(), "");
  const testing::EnvironmentVariable home("HOME", "/e");
  EXPECT_EQ(hub_cache(), "/e/.cache/huggingface/hub");
  EXPECT_EQ(model_caches().own, "/e/.cache/unmask");
  const testing::EnvironmentVariable caches("XDG_CACHE_HOME", "/d");
  EXPECT_EQ(hub_cache(), "/d/huggingface/hub");
  EXPECT_EQ(model_caches().own, "/d/unmask");
  const testing::EnvironmentVariable tools("HF_HOME", "/c");
  EXPECT_EQ(hub_cache(), "/c/hub");
  const testing::EnvironmentVariable old_hub("HUGGINGFACE_HUB_CACHE", "/b");
  EXPECT_EQ(hub_cache(), "/b");
  const testing::EnvironmentVariable hub("HF_HUB_CACHE", "/a");
  EXPECT_EQ(hub_cache(), "/a");
}

TEST_F(FindModel, AdaptersMayHaveAScale) {
  testing::write_adapter(dir_, testing::lora_config(8, 16), {});
  const std::string folder = dir_.path().string();
  const auto parse = [&](const std::string& text) {
    return parse_adapter(text, dir_.path() / "h");
  };
  EXPECT_EQ(parse(folder).directory, dir_.path());
  EXPECT_EQ(parse(folder).scale, 1);
  EXPECT_EQ(parse(folder + ":0.5").scale, 0.5F);
  EXPECT_EQ(parse(folder + "/:-2").scale, -2);
  EXPECT_EQ(parse(folder + "/adapter_model.safetensors:3").directory, dir_.path());
  const fs::path odd = make("a:1", "adapter_config.json");
  EXPECT_EQ(parse(odd.string()).scale, 1) << "a colon in the name of a folder";
  EXPECT_THROW(parse(folder + ":much"), Error);
  EXPECT_THROW(parse(folder + ":nan"), Error);
  EXPECT_THROW(parse(make("model").string()), Error);
  EXPECT_THROW(parse("/nonexistent:1"), Error);
}

}  // namespace
}  // namespace unmask
