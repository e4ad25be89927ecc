// Counts and rules that newer families brought: thresholds with a least number, editing, remasking.
#include <gtest/gtest.h>

#include "core/error.h"
#include "sampling/positions.h"
#include "sampling/schedule.h"

namespace unmask {
namespace {

std::vector<int> counts_of(const SamplerOptions& options, int masks, int steps, int positions = 0) {
  const Schedule schedule(options, masks, steps, positions);
  std::vector<int> out;
  int left = masks;
  for (int i = 0; i < schedule.steps() && left > 0; ++i) {
    const int n = schedule.budget(i, left).count;
    out.push_back(n);
    left -= n;
  }
  return out;
}

TEST(Counts, OfAWholeBlockWhateverIsMaskedOfIt) {
  const SamplerOptions options{.algorithm = Algorithm::maskgit_plus, .counts = Counts::even_block};
  EXPECT_EQ(counts_of(options, 8, 4, 8), (std::vector{2, 2, 2, 2}));
  EXPECT_EQ(counts_of(options, 5, 3, 8), (std::vector{3, 2}));
}

TEST(Counts, LinearOnesRoundHalfToEvenAndLeaveNoStepEmpty) {
  const SamplerOptions options{.counts = Counts::linear};
  EXPECT_EQ(counts_of(options, 4, 4), (std::vector{1, 1, 1, 1}));
  EXPECT_EQ(counts_of(options, 24, 1), (std::vector{24}));
  // 3 of 8 steps: 3/8 rounds to 0, 3/7 to 0, 3/6 to even 0, 3/5 to 1, ...
  const std::vector<int> few = counts_of(options, 3, 8);
  EXPECT_EQ(few, (std::vector{1, 1, 1}));
  for (int masks = 1; masks < 40; ++masks) {
    for (int steps = 1; steps < 20; ++steps) {
      int sum = 0;
      for (const int n : counts_of(options, masks, steps)) {
        EXPECT_GT(n, 0);
        sum += n;
      }
      EXPECT_EQ(sum, masks) << steps << " steps";
    }
  }
}

TEST(Counts, ACountdownEndsOneStepEarly) {
  const SamplerOptions options{.algorithm = Algorithm::entropy, .counts = Counts::countdown};
  EXPECT_EQ(counts_of(options, 8, 4), (std::vector{2, 2, 4}));  // 6, 4, 0 left
  EXPECT_EQ(counts_of(options, 7, 1), (std::vector{7}));
}

TEST(Counts, FixedOnesGoOnAsLongAsThereAreMasks) {
  const SamplerOptions options{.counts = Counts::fixed, .per_step = 3};
  EXPECT_EQ(counts_of(options, 7, 1), (std::vector{3, 3, 1}));
  EXPECT_THROW(check_options({.per_step = 0}), Error);
}

std::vector<Candidate> plain_candidates(const std::vector<float>& probabilities) {
  std::vector<Candidate> list;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    Candidate c;
    c.position = static_cast<int>(i);
    c.stats.token = static_cast<TokenId>(100 + i);
    c.stats.probability = probabilities[i];
    list.push_back(c);
  }
  return list;
}

TEST(Decide, AThresholdMayHaveALeastNumberAndExcludeItself) {
  const auto c = plain_candidates({0.5F, 0.9F, 0.25F, 0.75F});
  const auto taken = [&](bool above, bool least, int count) {
    const SamplerOptions options{.threshold = 0.75, .above = above, .least = least};
    return positions(decide(options, c, {.count = count}, 0));
  };
  EXPECT_EQ(taken(false, false, 4), (std::vector{1, 3}));
  EXPECT_EQ(taken(true, false, 4), (std::vector{1}));
  EXPECT_EQ(taken(true, true, 1), (std::vector{1}));
  EXPECT_EQ(taken(true, true, 3), (std::vector{0, 1, 3}));
  EXPECT_THROW(check_options({.least = true}), Error);
}

TEST(Decide, SequentialGoesFromLeftToRight) {
  const auto c = plain_candidates({0.1F, 0.9F, 0.5F});
  EXPECT_EQ(positions(decide({.algorithm = Algorithm::sequential}, c, {.count = 2}, 0)),
            (std::vector{0, 1}));
}

TEST(Edits, ReplaceWhatIsSureToBeSomethingElse) {
  const SamplerOptions options{.editing = Editing{.threshold = 0.5}};
  const auto c = plain_candidates({0.5F, 0.6F, 0.9F});
  const std::vector<TokenId> tokens{7, 7, 102};  // the third is what is proposed
  const auto edits = find_edits(options, c, tokens);
  ASSERT_EQ(positions(edits), std::vector{1});
  EXPECT_EQ(edits[0].token, 101);
  EXPECT_THROW(check_options({.editing = Editing{.threshold = 1.5}}), Error);
}

TEST(Remask, MasksTheLeastSureAndKeepsWhatIsThere) {
  const SamplerOptions options{.algorithm = Algorithm::maskgit_plus, .remask = true};
  const auto c = plain_candidates({0.1F, 0.9F, 0.2F, 0.8F});
  constexpr TokenId kMask = 1;
  const std::vector<TokenId> tokens{7, kMask, kMask, 8};
  const auto changed = remask(options, c, tokens, 2, kMask);
  ASSERT_EQ(positions(changed), (std::vector{0, 1}));  // 2 stays masked, 3 keeps its token
  EXPECT_EQ(changed[0].token, kMask);
  EXPECT_EQ(changed[1].token, 101);
  EXPECT_THROW(check_options({.threshold = 0.9, .remask = true}), Error);
}

}  // namespace
}  // namespace unmask
