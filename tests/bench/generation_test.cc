// What a benchmark says of a generation; its figures are times, which no test compares.
#include "bench/generation.h"

#include <gtest/gtest.h>

namespace unmask {
namespace {

constexpr Ceilings kCeilings{
    .threads = 1, .f32 = 1e10, .bf16 = 2e10, .int8 = 4e10, .int4 = 5e10, .read = 1e9};

BenchCase small_case(const std::string& method) {
  return {.method = method, .context = 48, .gen_length = 16, .block_length = 8, .steps = 8};
}

TEST(MeasureGeneration, GroupsStepsByKind) {
  const BenchModel model("tiny-llada", WeightType::f32, 1);
  const GenerationFigures figures =
      measure_generation(model, small_case("sparse-dllm:keep=0.5"), kCeilings);
  // Each of the two blocks of four steps: one with all rows, one that measures, two cached ones.
  ASSERT_EQ(figures.kinds.size(), 3U);
  EXPECT_EQ(figures.kinds[0].rows, 48);
  EXPECT_EQ(figures.kinds[0].planned, 2);
  EXPECT_TRUE(figures.kinds[1].measures);
  EXPECT_EQ(figures.kinds[2].rows, 8);
  EXPECT_EQ(figures.kinds[2].planned, 4);
  EXPECT_FALSE(figures.projected);
  double seconds = 0;
  double limit = 0;
  for (const StepKind& kind : figures.kinds) {
    EXPECT_LE(kind.seconds.least, kind.seconds.median);
    EXPECT_LE(kind.seconds.median, kind.seconds.most);
    EXPECT_GT(kind.times.of(Operation::products), 0);
    seconds += kind.seconds.median * kind.planned;
    limit += kind.limit * kind.planned;
  }
  EXPECT_NEAR(figures.seconds, seconds, 1e-9 + 1e-6 * seconds);
  EXPECT_NEAR(figures.limit, limit, 1e-9 + 1e-6 * limit);
  EXPECT_GT(figures.peak_bytes, model.weight_bytes());
}

TEST(MeasureGeneration, ProjectsStepsLikeThoseMeasured) {
  const BenchModel model("tiny-llada", WeightType::f32, 1);
  BenchCase about = small_case("full");
  about.most_steps = 2;
  std::vector<int> seen;
  const GenerationFigures figures =
      measure_generation(model, about, kCeilings, [&](int step, int steps) {
        seen.push_back(step);
        EXPECT_EQ(steps, 2);
      });
  EXPECT_EQ(seen, (std::vector{1, 2}));
  EXPECT_TRUE(figures.projected);
  EXPECT_EQ(figures.kinds.front().planned, 8);
  EXPECT_GT(figures.seconds, 3 * figures.kinds.front().seconds.median);
}

TEST(MeasureGeneration, RefusesWhatItCannotMeasure) {
  const BenchModel model("tiny-llada", WeightType::f32, 1);
  BenchCase about = small_case("sparse-dllm:keep=0.5");
  about.most_steps = 1;  // no cached step among them
  EXPECT_THROW(measure_generation(model, about, kCeilings), Error);
  about = small_case("full");
  about.context = 16;
  EXPECT_THROW(measure_generation(model, about, kCeilings), Error);
  about = small_case("no-such-method");
  EXPECT_THROW(measure_generation(model, about, kCeilings), Error);
}

TEST(LimitSeconds, TakeTheSlowerOfComputingAndReading) {
  const WorkCount busy{
      .product_operations = 3e10, .attention_operations = 1e10, .weight_bytes = 1e8};
  EXPECT_DOUBLE_EQ(limit_seconds(busy, WeightType::f32, kCeilings), 3 + 1);
  EXPECT_DOUBLE_EQ(limit_seconds(busy, WeightType::int4, kCeilings), 3e10 / 5e10 + 1e10 / 2e10);
  const WorkCount reading{
      .product_operations = 1e9, .attention_operations = 0, .weight_bytes = 5e9};
  EXPECT_DOUBLE_EQ(limit_seconds(reading, WeightType::f32, kCeilings), 5);
}

TEST(SpreadOf, IsMedianLeastAndMost) {
  const Spread spread = spread_of({5, 1, 4, 2, 3});
  EXPECT_EQ(spread.median, 3);
  EXPECT_EQ(spread.least, 1);
  EXPECT_EQ(spread.most, 5);
}

}  // namespace
}  // namespace unmask
