#include "apps/reports/baseline.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "apps/reports/bench_view.h"
#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

Target speed(double low, double high) {
  return {"products", {(low + high) / 2, low, high}, 0.8, false, "bf16"};
}
Target cost(double low, double high) {
  return {"attention", {(low + high) / 2, low, high}, 1.2, true, "dense"};
}

TEST(Baseline, IsReadAsItWasWritten) {
  const testing::TempDir dir;
  const std::filesystem::path file = dir.path() / "baseline.json";
  std::ofstream(file) << targets_json({speed(0.7, 0.9), cost(1, 1.5)}).dump();
  const std::vector<Target> read = read_baseline(file);
  EXPECT_EQ(targets_json(read), targets_json({speed(0.7, 0.9), cost(1, 1.5)}));
}

TEST(Baseline, RefusesOtherFiles) {
  const testing::TempDir dir;
  for (const char* text : {"[1]", "[{}]", R"([{"what": 1}])", R"({"a": 2})"}) {
    std::ofstream(dir.path() / "file") << text;
    EXPECT_THROW(read_baseline(dir.path() / "file"), Error) << text;
  }
  EXPECT_THROW(read_baseline(dir.path() / "missing"), Error);
}

TEST(Baseline, TellsWhatChangedBeyondTheSpreadOfBoth) {
  const std::vector<Target> before{speed(0.7, 0.8), cost(1.0, 1.1)};
  const auto changes = [&](const Target& a, const Target& b) {
    return compare_targets(before, {a, b, {"new", {1, 1, 1}, 1, false, ""}});
  };
  const auto same = changes(speed(0.79, 0.9), cost(0.9, 1.0));
  ASSERT_EQ(same.size(), 2U);
  EXPECT_THAT(changes_text(same), HasSubstr("2 of 2 are as they were"));
  const auto worse = changes(speed(0.6, 0.69), cost(1.2, 1.3));
  EXPECT_TRUE(worse[0].worse && worse[1].worse);
  EXPECT_THAT(changes_text(worse), HasSubstr("WORSE"));
  const auto better = changes(speed(0.81, 0.9), cost(0.8, 0.9));
  EXPECT_TRUE(better[0].better && better[1].better && !better[0].worse);
}

}  // namespace
}  // namespace unmask
