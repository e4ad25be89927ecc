// Figures made by hand, as people and scripts see them.
#include "apps/reports/bench_view.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace unmask {
namespace {

using ::testing::HasSubstr;

GenerationFigures figures(const std::string& method, int context, double seconds) {
  StepKind kind{.rows = context, .planned = 4, .seconds = {seconds / 4, 0.1, 9}, .limit = 0.25};
  kind.times.seconds[static_cast<size_t>(Operation::products)] = 0.75;
  kind.times.seconds[static_cast<size_t>(Operation::attention)] = 0.25;
  return {.about = {.method = method, .context = context, .gen_length = 8, .steps = 4},
          .seconds = seconds,
          .limit = 1,
          .operations = 1e12,
          .peak_bytes = 1 << 20,
          .kinds = {kind}};
}

BenchRun run() {
  return {"demo",
          "bf16",
          "some backend",
          1 << 20,
          {figures("full", 512, 4), figures("full", 1024, 8), figures("sparsed", 1024, 2)}};
}

TEST(BenchView, ComparesWithFullAtTheSameContext) {
  const BenchRun r = run();
  EXPECT_EQ(speed_over_full(r, r.generations[2]), 4);
  EXPECT_EQ(speed_over_full(r, r.generations[0]), 1);
  EXPECT_EQ(speed_over_full({"", "", "", 0, {figures("sparsed", 64, 1)}}, figures("a", 64, 1)), 0);
}

TEST(BenchView, TextHasEachGenerationWithItsSteps) {
  const std::string text = bench_text(run());
  EXPECT_THAT(text,
              HasSubstr("1,024 tokens, sparsed: 2 s, 4 tok/s, 4.00x full, 0.50 of the limit"));
  EXPECT_THAT(text, HasSubstr("products 75 %, attention 25 %"));
}

TEST(BenchView, JsonHasWhatTheTextHas) {
  const auto json = bench_json({.threads = 2, .bf16 = 5e11}, {run()});
  EXPECT_EQ(json["ceilings"]["bf16_operations_per_second"], 5e11);
  const auto& generation = json["models"][0]["generations"][2];
  EXPECT_EQ(generation["method"], "sparsed");
  EXPECT_EQ(generation["over_full"], 4);
  EXPECT_EQ(generation["kinds_of_steps"][0]["seconds_by_operation"]["products"], 0.75);
}

TEST(BenchView, PlotIsAWholeDrawing) {
  const std::string svg = bench_plot({run()}, PictureFormat::svg);
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
}

TEST(BenchView, TargetsAreMetFromTheirSide) {
  const Target speed{"products", {0.9, 0.8, 1}, 0.85, false, "bf16"};
  const Target cost{"attention", {1.3, 1.2, 1.4}, 1.25, true, "dense"};
  EXPECT_TRUE(speed.met());
  EXPECT_FALSE(cost.met());
  EXPECT_THAT(target_line(cost), HasSubstr("near"));
  const auto json = targets_json({speed, cost});
  EXPECT_EQ(json[0]["at_least"], 0.85);
  EXPECT_EQ(json[1]["at_most"], 1.25);
  EXPECT_EQ(json[1]["met"], false);
}

TEST(BenchView, ATargetIsMissedWhereNoMeasurementMeetsIt) {
  const Target near{"near", {0.8, 0.7, 0.9}, 0.85, false, ""};
  const Target missed{"missed", {0.8, 0.7, 0.84}, 0.85, false, ""};
  const Target dear{"dear", {1.3, 1.26, 1.4}, 1.25, true, ""};
  const Target met{"met", {0.9, 0.8, 1}, 0.85, false, ""};
  EXPECT_FALSE(near.missed());
  EXPECT_TRUE(missed.missed());
  EXPECT_TRUE(dear.missed());
  EXPECT_FALSE(met.missed());
  EXPECT_THAT(target_line(near), HasSubstr("near"));
  EXPECT_THAT(targets_summary({near, missed, dear, met}),
              HasSubstr("4 targets: 1 met, 1 near (some measurements meet them), 2 missed"));
}

}  // namespace
}  // namespace unmask
