#include "eval/store.h"

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
  EXPECT_TRUE(store.has(record(1).key));
  EXPECT_FALSE(store.has(record(2).key));
  EXPECT_EQ(text_of(folder.path()), before);
  store.add(record(2));
  EXPECT_EQ(text_of(folder.path()).substr(0, before.size()), before);
  EXPECT_EQ(ResultStore(folder.path().string(), kSettings).records().size(), 3U);
}

TEST(ResultStore, StartsAnewWhenNotEvenTheSettingsWereWritten) {
  const testing::TempDir folder;
  folder.write("results.jsonl", "{\"settings");
  ResultStore store(folder.path().string(), kSettings);
  store.add(record(0));
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
  EXPECT_TRUE(store.has(record(0).key));
}

}  // namespace
}  // namespace unmask
