#include "eval/likelihood.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "generate/engine.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

testing::LoadedModel load_tiny(const std::string& name) {
  return {std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name, create_cpu_backend({.threads = 1})};
}

std::vector<TokenId> some_tokens(int count) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + 11) % 400);
  return tokens;
}

class LikelihoodTest : public ::testing::TestWithParam<const char*> {
 protected:
  testing::LoadedModel model_ = load_tiny(GetParam());
};

TEST_P(LikelihoodTest, OfOneTokenIsItsProbability) {
  std::vector<TokenId> tokens = some_tokens(20);
  Request request = append_masks(tokens, 1, model_.config.mask_id);
  if (model_.config.family == Family::dream) request.sampler.algorithm = Algorithm::maskgit_plus;
  float probability = 0;
  const Result result = generate(model_.transformer, {&request, 1}, [&](const StepEvent& event) {
    probability = event.decided[0].confidence;
    return true;
  })[0];
  const Likelihood found = log_likelihood(model_.transformer, result.tokens, {20, 21}, {});
  EXPECT_NEAR(std::exp(found.log_likelihood), probability, 1e-5);
  EXPECT_EQ(found.samples, 1);
  EXPECT_EQ(found.standard_error, 0);
}

TEST_P(LikelihoodTest, OfTwoTokensIsTheMeanOverAllMaskings) {
  const std::vector<TokenId> tokens = some_tokens(20);
  const auto alone = [&](std::vector<TokenId> canvas, int position) {
    return log_likelihood(model_.transformer, canvas, {position, position + 1}, {}).log_likelihood;
  };
  // `position` where the other one is masked, too.
  const auto beside_mask = [&](int position, int other) {
    std::vector<TokenId> canvas = tokens;
    canvas[static_cast<size_t>(other)] = model_.config.mask_id;
    return alone(canvas, position);
  };
  const double one_mask = 2 * (alone(tokens, 15) + alone(tokens, 16)) / 2;
  const double two_masks = beside_mask(15, 16) + beside_mask(16, 15);
  const double expected = (one_mask + two_masks) / 2;
  const Likelihood found = log_likelihood(model_.transformer, tokens, {15, 17}, {.samples = 256});
  EXPECT_GT(found.standard_error, 0);
  EXPECT_NEAR(found.log_likelihood, expected, 4 * found.standard_error);
}

TEST_P(LikelihoodTest, IsRepeatable) {
  const std::vector<TokenId> tokens = some_tokens(24);
  const auto run = [&](uint64_t seed) {
    return log_likelihood(model_.transformer, tokens, {10, 24}, {.samples = 16, .seed = seed})
        .log_likelihood;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
  EXPECT_THROW(log_likelihood(model_.transformer, tokens, {10, 10}, {}), Error);
}

INSTANTIATE_TEST_SUITE_P(Families, LikelihoodTest, ::testing::Values("llada-tiny", "dream-tiny"),
                         [](const auto& which) { return std::string(which.param).substr(0, 5); });

TEST(Maskings, SpreadTheirCountsEvenly) {
  for (const int length : {2, 3, 8, 20}) {
    const auto maskings = draw_maskings(length, {.samples = 160, .seed = 7});
    EXPECT_EQ(maskings.size(), 160U);
    std::vector<int> counts(static_cast<size_t>(length) + 1, 0);
    for (const auto& masking : maskings) {
      EXPECT_EQ(std::set(masking.begin(), masking.end()).size(), masking.size());
      ++counts[masking.size()];
    }
    EXPECT_EQ(counts[0], 0);
    for (int l = 1; l <= length; ++l) {
      EXPECT_NEAR(counts[static_cast<size_t>(l)], 160.0 / length, 20) << length;
    }
  }
  EXPECT_EQ(draw_maskings(1, {}).size(), 1U);
  EXPECT_EQ(draw_maskings(5, {.samples = 1}).size(), 16U) << "a standard error takes two groups";
}

}  // namespace
}  // namespace unmask
