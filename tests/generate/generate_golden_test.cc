// Whole generations of the reference implementations with full attention, compared step by step.
#include <cmath>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "support/drafted.h"
#include "support/golden.h"
#include "support/golden_request.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask {
namespace {

const golden::Claim kGenerateClaim([](const golden::Case& c) {
  return c.kind() == "generate" && !c.json.contains("loop");  // these are of the families' own
});

class GoldenGenerate : public ::testing::TestWithParam<golden::Case> {};

/// Generates with so many drafts a pass; 1: without any.
void check_steps(const golden::Case& c, int drafts) {
  const auto directory = golden::find_folder(c.json["checkpoint"], "config.json");
  const SafetensorsFile file(c.directory() / "tensors.safetensors");
  const auto trajectory = testing::values<TokenId>(file.at("trajectory"));
  const auto transfer = testing::values<int>(file.at("num_transfer"));
  const auto confidence = testing::values<float>(file.at("confidence"));
  testing::LoadedModel model(directory, testing::make_backend("cpu"));
  Request request = golden::request_of(c, model.config);
  std::string why;
  if (drafts > 1) {
    const auto with_drafts = testing::drafted(request, drafts, model.config, why);
    if (!with_drafts) GTEST_SKIP() << why;
    request = *with_drafts;
  }
  const auto gen_length = static_cast<size_t>(request.gen_length());
  size_t step = 0;
  const auto check = [&](const StepEvent& event) {
    const auto row = trajectory.begin() + static_cast<std::ptrdiff_t>(step * event.tokens.size());
    EXPECT_TRUE(std::equal(event.tokens.begin(), event.tokens.end(), row)) << "step " << step;
    EXPECT_EQ(static_cast<int>(event.decided.size()), transfer[step]) << "step " << step;
    for (const Decision& d : event.decided) {
      const auto column = static_cast<size_t>(d.position - request.prompt_length);
      EXPECT_NEAR(d.confidence, confidence[step * gen_length + column], 1e-3);
    }
    ++step;
    return true;
  };
  const std::vector<Result> results = generate(model.transformer, std::span(&request, 1), check);
  EXPECT_EQ(step, transfer.size());
  EXPECT_EQ(results[0].tokens, testing::values<TokenId>(file.at("final")));
}

TEST_P(GoldenGenerate, EveryStepEqualsTheReference) { check_steps(GetParam(), 1); }

TEST_P(GoldenGenerate, DraftsChangeNoStep) {
  for (const int drafts : {2, 4}) check_steps(GetParam(), drafts);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenGenerate);
INSTANTIATE_TEST_SUITE_P(Cases, GoldenGenerate, ::testing::ValuesIn(kGenerateClaim.cases()),
                         golden::test_name);

}  // namespace
}  // namespace unmask
