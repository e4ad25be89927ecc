// What the loop does with the rules of newer families, beyond their golden data: joining others,
// limits, and rules that no golden data holds.
#include <algorithm>
#include <gtest/gtest.h>

#include "core/error.h"
#include "generate/engine.h"
#include "support/model_fixture.h"

namespace unmask {
namespace {

using testing::LoadedModel;

const std::string kCheckpoints = UNMASK_GOLDEN_CHECKPOINTS;
constexpr TokenId kMask = 501;

LoadedModel llada2() {
  return {
      kCheckpoints + "/llada2-tiny", testing::make_backend("cpu"), {.mask_id = kMask, .block = 8}};
}

std::vector<TokenId> prompt(int length, int seed) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < length; ++i) tokens.push_back((i * 37 + seed * 11) % 490);
  return tokens;
}

/// Blocks of 8 from position 0 on.
Request block_request(int prompt_length, int blocks, int seed) {
  const int end = (prompt_length / 8 + blocks) * 8;
  Request r = append_masks(prompt(prompt_length, seed), end - prompt_length, kMask);
  r.block_length = 8;
  r.first_block = 8 - prompt_length % 8;
  r.steps_per_block = 8;
  r.method = "block-cache";
  r.sampler.algorithm = Algorithm::maskgit_plus;
  r.sampler.counts = Counts::even_block;
  r.sampler.threshold = 0.4;
  r.sampler.above = true;
  r.sampler.least = true;
  return r;
}

TEST(BlockCausal, RequestsSideBySideGetWhatTheyGetAlone) {
  LoadedModel model = llada2();
  std::vector<Request> all{block_request(3, 3, 1), block_request(16, 2, 2),
                           block_request(21, 2, 3)};
  all[1].sampler.editing = Editing{.threshold = 0.3, .rounds = 4};
  all[2].method = "full";
  const std::vector<Result> together = generate(model.transformer, all);
  for (size_t i = 0; i < all.size(); ++i) {
    const Result alone = generate(model.transformer, {&all[i], 1})[0];
    EXPECT_EQ(together[i].tokens, alone.tokens) << i;
    EXPECT_EQ(together[i].masks_left, 0);
  }
}

TEST(BlockCausal, TheCacheComputesFewRowsAndGivesWhatFullPassesGive) {
  LoadedModel model = llada2();
  Request r = block_request(13, 4, 5);
  const Result cached = generate(model.transformer, {&r, 1})[0];
  r.method = "full";
  const Result full = generate(model.transformer, {&r, 1})[0];
  EXPECT_EQ(cached.tokens, full.tokens);
  EXPECT_LT(cached.rows * 2, full.rows);
}

TEST(Editing, LeavesABlockAfterItsRounds) {
  LoadedModel model = llada2();
  for (const int rounds : {0, 1, 3}) {
    Request r = block_request(8, 2, 7);
    r.sampler.editing = Editing{.threshold = 0, .rounds = rounds};  // any other token replaces
    int empty_passes = 0;
    const auto watch = [&](const StepEvent& event) {
      EXPECT_LE(event.settled, event.masks_left == 0 ? 24 : event.block.end);
      EXPECT_LE(event.step, event.total_steps);
      return true;
    };
    const Result result = generate(model.transformer, {&r, 1}, watch)[0];
    EXPECT_EQ(result.masks_left, 0);
    EXPECT_LE(result.steps, 2 * (8 + rounds)) << empty_passes;
  }
}

TEST(Remasking, EndsWithoutMasksAndKeepsWhatWasGiven) {
  LoadedModel model(kCheckpoints + "/dream-tiny", testing::make_backend("cpu"));
  const TokenId mask = model.config.mask_id;
  Request r = append_masks(prompt(9, 3), 16, mask);
  r.tokens[14] = 42;
  r.steps = 6;
  r.sampler.algorithm = Algorithm::entropy;
  r.sampler.remask = true;
  std::vector<int> masks;
  const auto watch = [&](const StepEvent& event) {
    masks.push_back(event.masks_left);
    EXPECT_EQ(event.tokens[14], 42);
    return true;
  };
  const Result result = generate(model.transformer, {&r, 1}, watch)[0];
  // floor(15 free positions * (1 - step / 6)) are masked after each step.
  EXPECT_EQ(masks, (std::vector{12, 10, 7, 5, 2, 0}));
  EXPECT_EQ(result.masks_left, 0);
}

TEST(AnswerLength, CutsWhatTheLastBlockHasTooMuch) {
  LoadedModel model = llada2();
  Request r = block_request(5, 2, 9);
  r.answer_length = 6;
  const Result result = generate(model.transformer, {&r, 1})[0];
  EXPECT_EQ(result.answer.size(), 6);
  EXPECT_EQ(result.tokens.size(), 16U);
}

TEST(HoleGrowth, ImpossibleRequestsSayWhy) {
  LoadedModel model(kCheckpoints + "/dream-tiny", testing::make_backend("cpu"));
  Request r = append_masks(prompt(4, 1), 4, model.config.mask_id);
  r.sampler.algorithm = Algorithm::entropy;
  r.growth = HoleGrowth{.expand_id = 7, .expansions = 4, .most_tokens = 16, .end_id = 8};
  r.method = "fast-dllm";
  EXPECT_THROW(check_request(r, model.config), Error);
  r.method = "full";
  EXPECT_NO_THROW(check_request(r, model.config));
  r.alternatives = 2;
  EXPECT_THROW(check_request(r, model.config), Error);
  r.alternatives.reset();
  r.growth->most_tokens = 7;
  EXPECT_THROW(check_request(r, model.config), Error);
}

}  // namespace
}  // namespace unmask
