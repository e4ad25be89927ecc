#include "sampling/sampler.h"

#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "sampling/positions.h"

namespace unmask {
namespace {

/// Candidates at positions 0, 1, 2 ... with these probabilities.
std::vector<Candidate> candidates(const std::vector<float>& probabilities) {
  std::vector<Candidate> list;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    Candidate c;
    c.position = static_cast<int>(i);
    c.stats.token = static_cast<TokenId>(100 + i);
    c.stats.probability = probabilities[i];
    c.stats.margin = -probabilities[i];  // another order on purpose
    c.stats.neg_entropy = probabilities[i] == 0.5F ? 1.0F : 0.0F;
    list.push_back(c);
  }
  return list;
}

TEST(Decide, TakesTheSurestAndReportsThemInOrderOfPosition) {
  const auto c = candidates({0.1F, 0.9F, 0.5F, 0.7F});
  const auto decisions = decide({}, c, {.count = 2}, 0);
  EXPECT_EQ(positions(decisions), (std::vector{1, 3}));
  EXPECT_EQ(decisions[0].token, 101);
  EXPECT_FLOAT_EQ(decisions[0].confidence, 0.9F);
  EXPECT_TRUE(decide({}, c, {.count = 0}, 0).empty());
  EXPECT_EQ(decide({}, c, {.count = 9}, 0).size(), 4U);
  EXPECT_TRUE(decide({}, {}, {.count = 3}, 0).empty());
}

TEST(Decide, TiesGoToTheLowerPosition) {
  EXPECT_EQ(positions(decide({}, candidates({0.5F, 0.7F, 0.7F, 0.7F}), {.count = 2}, 0)),
            (std::vector{1, 2}));
}

TEST(Decide, EachAlgorithmHasItsMeasure) {
  const auto c = candidates({0.1F, 0.9F, 0.5F});
  EXPECT_EQ(positions(decide({.algorithm = Algorithm::maskgit_plus}, c, {.count = 1}, 0)),
            std::vector{1});
  EXPECT_EQ(positions(decide({.algorithm = Algorithm::topk_margin}, c, {.count = 1}, 0)),
            std::vector{0});
  EXPECT_EQ(positions(decide({.algorithm = Algorithm::entropy}, c, {.count = 1}, 0)),
            std::vector{2});
}

TEST(Decide, RandomOrderDependsOnTheSeedOnlyAndIsKnownBeforehand) {
  const auto c = candidates(std::vector<float>(40, 0.5F));
  const auto draw = [&](uint64_t seed, int step) {
    return positions(
        decide({.algorithm = Algorithm::random, .seed = seed}, c, {.count = 10}, step));
  };
  EXPECT_EQ(draw(1, 0), draw(1, 7));
  EXPECT_NE(draw(1, 0), draw(2, 0));
  std::vector<int> order =
      random_order({.algorithm = Algorithm::random, .seed = 1}, positions(decide({}, c, {40}, 0)));
  order.resize(10);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, draw(1, 0));
}

TEST(Decide, AGivenOrderIsFollowed) {
  const SamplerOptions options{.algorithm = Algorithm::random, .order = {3, 0, 2, 1}};
  EXPECT_EQ(positions(decide(options, candidates({0.9F, 0.8F, 0.1F, 0.2F}), {.count = 2}, 0)),
            (std::vector{0, 3}));
  EXPECT_EQ(random_order(options, {0, 1, 2}), (std::vector{0, 2, 1}));
  EXPECT_THROW(check_options({.order = {1}}), Error);
}

TEST(Decide, ThresholdTakesAllAboveAndTheBestAlways) {
  const SamplerOptions options{.threshold = 0.6};
  EXPECT_EQ(positions(decide(options, candidates({0.1F, 0.9F, 0.6F, 0.59F}), {.count = 4}, 0)),
            (std::vector{1, 2}));
  EXPECT_EQ(positions(decide(options, candidates({0.1F, 0.2F}), {.count = 2}, 0)), std::vector{1});
}

TEST(Decide, FactorTakesTheLongestPrefix) {
  // Bounds for factor 1: second 1 - 1/3, third 1 - 1/4, fourth 1 - 1/5, fifth 1 - 1/6.
  const SamplerOptions options{.factor = 1.0};
  EXPECT_EQ(decide(options, candidates({0.3F, 0.2F, 0.2F}), {.count = 3}, 0).size(), 1U);
  EXPECT_EQ(decide(options, candidates({0.9F, 0.7F, 0.5F, 0.4F}), {.count = 4}, 0).size(), 2U);
  EXPECT_EQ(decide(options, candidates({0.9F, 0.9F, 0.9F, 0.9F}), {.count = 4}, 0).size(), 4U);
  // Only the last one fails: it is taken all the same.
  EXPECT_EQ(decide(options, candidates({0.9F, 0.8F, 0.1F}), {.count = 3}, 0).size(), 3U);
  EXPECT_EQ(decide(options, candidates({0.9F}), {.count = 1}, 0).size(), 1U);
}

TEST(Decide, OriginTakesEachPositionWithTheGivenProbability) {
  const auto c = candidates(std::vector<float>(2000, 0.5F));
  const SamplerOptions options{.algorithm = Algorithm::origin, .seed = 4};
  EXPECT_NEAR(static_cast<double>(decide(options, c, {.probability = 0.3}, 0).size()), 600, 80);
  EXPECT_EQ(decide(options, c, {.probability = 1}, 0).size(), 2000U);
  EXPECT_TRUE(decide(options, c, {.probability = 0}, 0).empty());
}

TEST(Decide, AlgTempDrawsPositionsByTheirConfidence) {
  const auto c = candidates({0.0F, 0.0F, 2.0F, 0.0F});
  std::vector<int> hits(4, 0);
  for (int step = 0; step < 2000; ++step) {
    const SamplerOptions options{.algorithm = Algorithm::maskgit_plus, .alg_temp = 1.0, .seed = 9};
    ++hits[static_cast<size_t>(decide(options, c, {.count = 1}, step)[0].position)];
  }
  EXPECT_NEAR(hits[2] / 2000.0, std::exp(2.0) / (std::exp(2.0) + 3), 0.03);
}

TEST(TokenQueryOf, FollowsTheOptions) {
  const std::vector<TokenId> eos{7, 8};
  const TokenQuery plain = token_query({}, 5, eos, 3);
  EXPECT_EQ(plain.noise, Noise::gumbel);
  EXPECT_EQ(plain.forbidden, std::vector<TokenId>{5});
  EXPECT_TRUE(plain.removed.empty());
  EXPECT_EQ(plain.step, 3);
  EXPECT_EQ(token_query({.suppress_eos = true}, 5, eos, 0).removed, eos);
  EXPECT_EQ(token_query({.defer_eos = true}, 5, eos, 0).without_confidence, eos);
  EXPECT_EQ(token_query({.algorithm = Algorithm::entropy}, 5, eos, 0).noise, Noise::categorical);
}

TEST(CheckOptions, RefusesWhatMakesNoSense) {
  EXPECT_NO_THROW(check_options({}));
  const std::vector<SamplerOptions> wrong{
      {.temperature = -1},
      {.temperature = std::numeric_limits<double>::quiet_NaN()},
      {.top_p = 0.9},  // a Dream filter on a LLaDA algorithm
      {.algorithm = Algorithm::entropy, .top_p = 0.0},
      {.algorithm = Algorithm::entropy, .top_p = 1.5},
      {.algorithm = Algorithm::entropy, .top_k = 0},
      {.alg_temp = 0.5},
      {.algorithm = Algorithm::origin, .alg_temp = 0.5},
      {.eps = 0},
      {.threshold = 0.5, .factor = 1.0},
      {.threshold = 1.5},
      {.factor = 0.0},
      {.algorithm = Algorithm::entropy, .threshold = 0.5},
      {.algorithm = Algorithm::random, .factor = 1.0},
  };
  for (const SamplerOptions& options : wrong) EXPECT_THROW(check_options(options), Error);
}

TEST(AlgorithmNames, RoundTripAndUnknownOnesAreListed) {
  for (const auto* name :
       {"low_confidence", "random", "maskgit_plus", "topk_margin", "entropy", "origin"}) {
    EXPECT_EQ(algorithm_name(parse_algorithm(name)), name);
  }
  try {
    parse_algorithm("best");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("topk_margin"), std::string::npos);
  }
}

TEST(PlainSurety, IsWhatDecideOrdersBy) {
  for (const Algorithm algorithm : {Algorithm::low_confidence, Algorithm::maskgit_plus,
                                    Algorithm::topk_margin, Algorithm::entropy}) {
    const SamplerOptions options{.algorithm = algorithm};
    const std::optional<Surety> surety = plain_surety(options);
    ASSERT_TRUE(surety);
    const Candidate c{
        .position = 3,
        .stats = {.token = 1, .probability = 0.5F, .margin = 0.25F, .neg_entropy = -1}};
    const float expected = *surety == Surety::probability ? c.stats.probability
                           : *surety == Surety::margin    ? c.stats.margin
                                                          : c.stats.neg_entropy;
    EXPECT_EQ(confidence(options, c), expected);
  }
}

TEST(PlainSurety, ThereIsNoneWhereMoreDecides) {
  EXPECT_TRUE(plain_surety({.algorithm = Algorithm::maskgit_plus, .top_p = 1.0}));
  for (const SamplerOptions& options :
       std::vector<SamplerOptions>{{.algorithm = Algorithm::random},
                                   {.algorithm = Algorithm::origin},
                                   {.temperature = 0.1},
                                   {.threshold = 0.9},
                                   {.factor = 1.0},
                                   {.algorithm = Algorithm::entropy, .alg_temp = 0.1},
                                   {.algorithm = Algorithm::entropy, .top_k = 3},
                                   {.algorithm = Algorithm::maskgit_plus, .top_p = 0.9}}) {
    EXPECT_FALSE(plain_surety(options));
  }
}

}  // namespace
}  // namespace unmask
