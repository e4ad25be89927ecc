#include "eval/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

const nlohmann::ordered_json kSettings{{"seed", 3}, {"steps", nullptr}};

Record record(int index) {
  Record r;
  r.key = {"multikey", 512, "full", index};
  r.score = 0.5;
  return r;
}

std::string text_of(const std::filesystem::path& folder) {
  return read_text_file(folder / "results.jsonl", 1 << 20);
}

TEST(ResultStore, GoesOnWhereItStopped) {
  const testing::TempDir folder;
  {
    ResultStore store(folder.path().string(), kSettings);
    store.add(record(0));
    store.add(record(1));
  }
  const std::string before = text_of(folder.path());
  // A killed run leaves a line without its end.
  folder.write("results.jsonl", before + before.substr(before.rfind("{\"task"), 30));
  ResultStore store(folder.path().string(), kSettings);
  EXPECT_EQ(store.records().size(), 2U);
  EXPECT_NE(store.find(record(1).key), nullptr);
  EXPECT_EQ(store.find(record(2).key), nullptr);
  EXPECT_EQ(text_of(folder.path()), before);
  store.add(record(2));
  EXPECT_EQ(text_of(folder.path()).substr(0, before.size()), before);
}

TEST(ResultStore, SharesWriteFilesOfTheirOwnAndKnowThoseOfOthers) {
  const testing::TempDir folder;
  const std::string path = folder.path().string();
  {
    ResultStore first(path, kSettings, Shard{0, 2});
    ResultStore second(path, kSettings, Shard{1, 2});
    first.add(record(0));
    second.add(record(1));
    EXPECT_THROW(ResultStore(path, kSettings, Shard{1, 2}), Error) << "a share has one process";
    EXPECT_THROW(ResultStore(path, kSettings), Error) << "who sums up waits for all";
    const ResultStore late(path, kSettings, Shard{2, 3});
    EXPECT_EQ(late.records().size(), 2U);
  }
  // A killed share leaves a line without its end, which its own next run drops.
  const std::string whole = read_text_file(folder.path() / "results.2-of-2.jsonl", 1 << 20);
  folder.write("results.2-of-2.jsonl", whole + R"({"task": "a)");
  ResultStore all(path, kSettings);
  EXPECT_EQ(all.records().size(), 2U);
  all.add(record(2));
  EXPECT_THROW(ResultStore(path, kSettings, Shard{}), Error);
}

TEST(ResultStore, TheSameExampleInTwoFilesCountsOnce) {
  const testing::TempDir folder;
  const std::string path = folder.path().string();
  ResultStore(path, kSettings, Shard{0, 2}).add(record(0));
  folder.write("results.1-of-3.jsonl",
               read_text_file(folder.path() / "results.1-of-2.jsonl", 1 << 20));
  EXPECT_EQ(ResultStore(path, kSettings).records().size(), 1U);
}

TEST(ResultStore, AFolderHasOneWriter) {
  const testing::TempDir folder;
  {
    const ResultStore first(folder.path().string(), kSettings);
    try {
      const ResultStore second(folder.path().string(), kSettings);
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("another process"));
      EXPECT_EQ(error.code(), ErrorCode::results_exist);
    }
  }
  EXPECT_NO_THROW(ResultStore(folder.path().string(), kSettings)) << "it is free again";
}

TEST(ResultStore, RefusesWhatNoEvaluationGives) {
  Record negative = record(0);
  negative.rows = -1;
  Record too_good = record(0);
  too_good.score = 1.5;
  const std::string good = json_line(to_json(record(0)));
  for (const std::string& lines :
       {json_line(to_json(negative)), json_line(to_json(too_good)), good + good}) {
    const testing::TempDir folder;
    folder.write("results.jsonl", json_line({{"settings", kSettings}}) + lines);
    EXPECT_THROW(ResultStore(folder.path().string(), kSettings), Error) << lines;
  }
}

TEST(ResultStore, DoesNotFollowALinkOfSomebodyElse) {
  const testing::TempDir folder;
  const auto target = folder.write("target", "kept");
  std::filesystem::create_symlink(target, folder.path() / "results.jsonl");
  EXPECT_THROW(ResultStore(folder.path().string(), kSettings), Error);
  EXPECT_EQ(read_text_file(target, 100), "kept");
}

TEST(ResultStore, StartsAnewWhenNotEvenTheSettingsWereWritten) {
  const testing::TempDir folder;
  folder.write("results.jsonl", "{\"settings");
  ResultStore(folder.path().string(), kSettings).add(record(0));
  EXPECT_EQ(ResultStore(folder.path().string(), kSettings).records().size(), 1U);
}

TEST(ResultStore, RefusesResultsOfOtherSettingsAndOtherFiles) {
  const testing::TempDir folder;
  ResultStore(folder.path().string(), kSettings).add(record(0));
  EXPECT_THROW(ResultStore(folder.path().string(), {{"seed", 4}}), Error);
  folder.write("results.jsonl", "{\"a\": 1}\n");
  EXPECT_THROW(ResultStore(folder.path().string(), kSettings), Error);
  EXPECT_THROW(ResultStore("/proc/nothing", kSettings), Error);
}

TEST(ResultStore, WorksWithoutAFolder) {
  ResultStore store(std::nullopt, kSettings);
  store.add(record(0));
  EXPECT_NE(store.find(record(0).key), nullptr);
}

}  // namespace
}  // namespace unmask
