// `unmask models` on caches as the hub's tools leave them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/environment.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::EnvironmentVariable;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;

class ModelsCommand : public ::testing::Test {
 protected:
  /// A snapshot whose files are links to blobs, with the demo model or the given config.json in it.
  fs::path snapshot(const std::string& repository, const std::string& revision,
                    const std::string& config = {}) const {
    const fs::path root = dir_.path() / "hub" / ("models--" + repository);
    const fs::path folder = root / "snapshots" / revision;
    fs::create_directories(folder);
    fs::create_directories(root / "blobs");
    if (!config.empty()) {
      dir_.write("hub/models--" + repository + "/blobs/c", config);
      fs::create_symlink("../../blobs/c", folder / "config.json");
      return folder;
    }
    for (const auto& entry : fs::directory_iterator(UNMASK_DEMO_DIRECTORY)) {
      if (!entry.is_regular_file()) continue;
      const fs::path blob = root / "blobs" / ("blob-" + entry.path().filename().string());
      if (!fs::exists(blob)) fs::copy_file(entry.path(), blob);
      fs::create_symlink(fs::path("../../blobs") / blob.filename(),
                         folder / entry.path().filename());
    }
    return folder;
  }
  nlohmann::json list(const std::vector<std::string>& options = {}) const {
    std::vector<std::string> words{"models", "--json"};
    words.insert(words.end(), options.begin(), options.end());
    const Outcome outcome = testing::call(words);
    EXPECT_EQ(outcome.status, kSuccess) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("models");
  }

  testing::TempDir dir_;
  EnvironmentVariable hub_{"HF_HUB_CACHE", (dir_.path() / "hub").string()};
  EnvironmentVariable own_{"XDG_CACHE_HOME", dir_.path().string()};
};

TEST_F(ModelsCommand, NothingComesWithADownload) {
  const Outcome outcome = testing::call({"models"});
  EXPECT_EQ(outcome.status, kSuccess);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("hf download"), HasSubstr("/unmask")));
  EXPECT_EQ(list(), nlohmann::json::array());
}

TEST_F(ModelsCommand, OneThatCanBeRunSaysWhatItNeeds) {
  const fs::path folder = snapshot("ORG--Demo", "a");
  const nlohmann::json models = list({"--context", "512"});
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["name"], "ORG/Demo");
  EXPECT_EQ(models[0]["folder"], folder.string());
  EXPECT_EQ(models[0]["family"], "LLaDA");
  EXPECT_FALSE(models[0].contains("problem")) << models[0];
  EXPECT_GT(models[0]["parameters"], 1'000'000);
  EXPECT_GT(models[0]["bytes"], fs::file_size(fs::path(UNMASK_DEMO_DIRECTORY) / "tokenizer.json"));
  EXPECT_GT(models[0]["memory"]["int8"], models[0]["memory"]["int4"]);
  EXPECT_LT(models[0]["memory"]["int8"], list({"--context", "2048"})[0]["memory"]["int8"]);
  const Outcome table = testing::call({"models"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("ORG/Demo"), HasSubstr("LLaDA"), HasSubstr("INT4"),
                               Not(HasSubstr("cannot be run"))));
}

TEST_F(ModelsCommand, OurOwnCacheIsListedByName) {
  fs::create_directories(dir_.path() / "unmask" / "ORG");
  fs::copy(UNMASK_DEMO_DIRECTORY, dir_.path() / "unmask" / "ORG" / "Mine");
  snapshot("ORG--Demo", "a");
  const nlohmann::json models = list();
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0]["name"], "ORG/Demo");
  EXPECT_EQ(models[1]["name"], "ORG/Mine");
}

TEST_F(ModelsCommand, OthersAreListedWhenAskedFor) {
  snapshot("gpt2", "a", R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})");
  EXPECT_EQ(list().size(), 0U);
  EXPECT_THAT(testing::call({"models"}).err, HasSubstr("--all"));
  const nlohmann::json models = list({"--all"});
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["name"], "gpt2");
  EXPECT_THAT(models[0]["problem"].get<std::string>(), HasSubstr("gpt2"));
  EXPECT_THAT(testing::call({"models", "--all"}).out, HasSubstr("cannot be run: "));
}

TEST_F(ModelsCommand, WhatIsMissingIsNamed) {
  const fs::path folder = snapshot("ORG--Half", "a");
  fs::remove(dir_.path() / "hub/models--ORG--Half/blobs/blob-model.safetensors");
  const nlohmann::json models = list();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_THAT(models[0]["problem"].get<std::string>(), HasSubstr("model.safetensors"));
  EXPECT_GT(models[0]["memory"]["int8"], 0) << "its configuration is there";
}

TEST_F(ModelsCommand, SeveralSnapshotsNeedAReference) {
  snapshot("ORG--Demo", "a");
  const fs::path second = snapshot("ORG--Demo", "b");
  EXPECT_THAT(list()[0]["problem"].get<std::string>(), HasSubstr("several snapshots"));
  fs::create_directories(dir_.path() / "hub/models--ORG--Demo/refs");
  dir_.write("hub/models--ORG--Demo/refs/main", "b\n");
  EXPECT_EQ(list()[0]["folder"], second.string());
}

TEST_F(ModelsCommand, AConfigurationThatIsNoneIsAProblemOfItsModelOnly) {
  snapshot("ORG--Broken", "a", "{");
  snapshot("ORG--Demo", "a");
  const nlohmann::json models = list();
  ASSERT_EQ(models.size(), 2U);
  EXPECT_THAT(models[0]["problem"].get<std::string>(), HasSubstr("config.json"));
  EXPECT_FALSE(models[1].contains("problem"));
}

}  // namespace
}  // namespace unmask
