// Rules that decide more than a threshold does.
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "core/error.h"
#include "sampling/positions.h"
#include "sampling/sampler.h"

namespace unmask {
namespace {

/// Masks at random places, some of them far apart.
std::vector<Candidate> draw_candidates(std::mt19937& random) {
  std::vector<Candidate> drawn;
  const int count = 1 + static_cast<int>(random() % 20);
  int position = 0;
  for (int i = 0; i < count; ++i) {
    position += 1 + static_cast<int>(random() % 4);
    Candidate c{.position = position, .stats = {}};
    c.stats.probability = static_cast<float>(random() % 1000) / 1000;
    drawn.push_back(c);
  }
  return drawn;
}

/// LocalLeap by its definition: anchors, then everything sure enough around them, else the best
/// one.
std::vector<int> leap_by_definition(const SamplerOptions& o, const std::vector<Candidate>& all) {
  std::vector<int> taken;
  for (const Candidate& c : all) {
    bool near_anchor = false;
    for (const Candidate& anchor : all) {
      near_anchor |= anchor.stats.probability >= *o.threshold &&
                     std::abs(anchor.position - c.position) <= o.leap->radius;
    }
    const bool anchor = c.stats.probability >= *o.threshold;
    if (anchor || (near_anchor && c.stats.probability >= o.leap->threshold)) {
      taken.push_back(c.position);
    }
  }
  if (!taken.empty()) return taken;
  const auto best = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.stats.probability < b.stats.probability;
  });
  return {best->position};
}

TEST(LocalLeap, TakesAnchorsAndWhatIsNearlyAsSureAroundThem) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    const std::vector<Candidate> all = draw_candidates(random);
    const SamplerOptions o{.threshold = 0.5 + 0.1 * (i % 5),
                           .leap = Leap{.threshold = 0.3 + 0.02 * (i % 10), .radius = 1 + i % 6}};
    EXPECT_EQ(positions(decide(o, all, {.count = 99}, 0)), leap_by_definition(o, all)) << i;
  }
}

TEST(LocalLeap, AsSureAsTheThresholdIsTheThresholdAlone) {
  std::mt19937 random(8);
  for (int i = 0; i < 100; ++i) {
    const std::vector<Candidate> all = draw_candidates(random);
    const SamplerOptions plain{.threshold = 0.6};
    SamplerOptions leaping = plain;
    leaping.leap = Leap{.threshold = 0.6, .radius = 50};
    EXPECT_EQ(positions(decide(leaping, all, {.count = 99}, 0)),
              positions(decide(plain, all, {.count = 99}, 0)));
  }
}

TEST(LocalLeap, KeepsToTheBudgetSurestFirst) {
  std::vector<Candidate> all(4);
  const float probabilities[] = {0.8F, 0.95F, 0.76F, 0.9F};
  for (size_t i = 0; i < 4; ++i) {
    all[i] = {.position = static_cast<int>(i), .stats = {.probability = probabilities[i]}};
  }
  const SamplerOptions o{.threshold = 0.9, .leap = Leap{}};
  EXPECT_EQ(positions(decide(o, all, {.count = 9}, 0)), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(positions(decide(o, all, {.count = 3}, 0)), (std::vector{0, 1, 3}));
  EXPECT_TRUE(decide(o, all, {.count = 0}, 0).empty());
}

TEST(CommitRules, RefuseWhatMakesNoSense) {
  const std::vector<SamplerOptions> wrong{
      {.leap = Leap{}},
      {.threshold = 0.7, .leap = Leap{.threshold = 0.75}},
      {.threshold = 0.9, .leap = Leap{.threshold = 0}},
      {.threshold = 0.9, .leap = Leap{.radius = 0}},
      {.temperature = 0.5, .credit = CreditRule{}},
      {.algorithm = Algorithm::maskgit_plus, .top_p = 0.9, .credit = CreditRule{}},
      {.algorithm = Algorithm::entropy, .credit = CreditRule{}},
      {.credit = CreditRule{}, .remask = true},
      {.drafts = 1},
      {.threshold = 0.9, .drafts = 4},
      {.factor = 1, .drafts = 4},
      {.credit = CreditRule{}, .drafts = 4},
      {.drafts = 4, .editing = Editing{}},
      {.drafts = 4, .remask = true},
      {.algorithm = Algorithm::random, .drafts = 4},
      {.algorithm = Algorithm::origin, .drafts = 4}};
  for (const SamplerOptions& o : wrong) EXPECT_THROW(check_options(o), Error);
  EXPECT_NO_THROW(check_options({.threshold = 0.9, .leap = Leap{}, .credit = CreditRule{}}));
  EXPECT_NO_THROW(check_options({.temperature = 0.5, .drafts = 2}));
}

TEST(CommitRules, TakeTheChoiceFromADevice) {
  EXPECT_FALSE(plain_surety({.credit = CreditRule{}}));
  EXPECT_FALSE(plain_surety({.attach_eos = true}));
  EXPECT_FALSE(plain_surety({.drafts = 2}));
}

}  // namespace
}  // namespace unmask
