// What a sampler learns from one row of logits, by hand-made expectations.
#include "kernels/token_stats.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "kernels/create_backend.h"

namespace unmask {
namespace {

/// Logits whose softmax is `probabilities`.
std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  logits.reserve(probabilities.size());
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TokenStats stats_of(std::vector<float> row, const TokenQuery& query, int position = 0) {
  const auto backend = create_reference_backend();
  TokenStats out;
  const Tensor view{row.data(), DType::f32, 1, static_cast<int>(row.size()),
                    static_cast<int64_t>(row.size())};
  backend->token_stats(view, std::span(&position, 1), query, std::span(&out, 1));
  return out;
}

TEST(TokenStats, ArgmaxProbabilityMarginEntropy) {
  const TokenStats s = stats_of(logits_of({0.1, 0.6, 0.3}), {});
  EXPECT_EQ(s.token, 1);
  EXPECT_NEAR(s.probability, 0.6, 1e-6);
  EXPECT_NEAR(s.margin, 0.3, 1e-6);
  EXPECT_NEAR(s.neg_entropy, 0.1 * std::log(0.1) + 0.6 * std::log(0.6) + 0.3 * std::log(0.3), 1e-6);
}

TEST(TokenStats, ForbiddenTokensStayInTheDistribution) {
  const TokenStats s = stats_of(logits_of({0.1, 0.6, 0.3}), {.forbidden = {1}});
  EXPECT_EQ(s.token, 2);
  EXPECT_NEAR(s.probability, 0.3, 1e-6);
  EXPECT_NEAR(s.margin, 0.3, 1e-6);
}

TEST(TokenStats, RemovedTokensLeaveTheDistribution) {
  const TokenStats s = stats_of(logits_of({0.1, 0.6, 0.3}), {.removed = {1}});
  EXPECT_EQ(s.token, 2);
  EXPECT_NEAR(s.probability, 0.75, 1e-6);
}

TEST(TokenStats, TokensWithoutConfidenceMayBeChosenButCountNothing) {
  const TokenStats end = stats_of(logits_of({0.1, 0.6, 0.3}), {.without_confidence = {1}});
  EXPECT_EQ(end.token, 1);
  EXPECT_EQ(end.probability, 0);
  const TokenStats other = stats_of(logits_of({0.1, 0.6, 0.3}), {.without_confidence = {0}});
  EXPECT_EQ(other.token, 1);
  EXPECT_NEAR(other.probability, 0.6 / 0.9, 1e-6);
}

TEST(TokenStats, TopKAndTopPRenormalise) {
  TokenQuery query;
  query.noise = Noise::categorical;
  query.top_k = 2;
  EXPECT_NEAR(stats_of(logits_of({0.1, 0.5, 0.3, 0.1}), query).probability, 0.5 / 0.8, 1e-6);
  query.top_k.reset();
  query.top_p = 0.6;  // 0.5 alone does not exceed it, 0.5 + 0.3 does: two stay
  EXPECT_NEAR(stats_of(logits_of({0.1, 0.5, 0.3, 0.1}), query).probability, 0.5 / 0.8, 1e-6);
  query.top_p = 0.4;  // the best is always kept
  EXPECT_NEAR(stats_of(logits_of({0.1, 0.5, 0.3, 0.1}), query).probability, 1.0, 1e-6);
}

TEST(TokenStats, GumbelConfidenceIsThatOfTheUnperturbedDistribution) {
  TokenQuery query{.noise = Noise::gumbel, .temperature = 1, .seed = 5};
  const std::vector<double> p{0.2, 0.5, 0.3};
  for (int position = 0; position < 20; ++position) {
    const TokenStats s = stats_of(logits_of(p), query, position);
    EXPECT_NEAR(s.probability, p[static_cast<size_t>(s.token)], 1e-6);
  }
}

/// Frequencies of the chosen tokens over many positions.
std::map<TokenId, double> frequencies(const TokenQuery& query, const std::vector<double>& p,
                                      int n) {
  std::map<TokenId, double> counts;
  for (int position = 0; position < n; ++position) {
    counts[stats_of(logits_of(p), query, position).token] += 1.0 / n;
  }
  return counts;
}

TEST(TokenStats, BothNoisesDrawFromTheDistribution) {
  const std::vector<double> p{0.2, 0.5, 0.3};
  for (const Noise noise : {Noise::gumbel, Noise::categorical}) {
    TokenQuery query{.noise = noise, .temperature = 1, .seed = 11};
    const auto counts = frequencies(query, p, 4000);
    for (TokenId t = 0; t < 3; ++t) EXPECT_NEAR(counts.at(t), p[static_cast<size_t>(t)], 0.03);
  }
}

TEST(TokenStats, TemperatureSharpensAndForbiddenTokensAreNeverDrawn) {
  TokenQuery query{.noise = Noise::categorical, .temperature = 0.5, .forbidden = {1}, .seed = 3};
  const auto counts = frequencies(query, {0.2, 0.5, 0.3}, 3000);
  EXPECT_EQ(counts.count(1), 0U);
  EXPECT_NEAR(counts.at(2), 0.09 / (0.09 + 0.04), 0.03);
}

TEST(TokenStats, ChoicesDependOnSeedStepAndPositionOnly) {
  const auto logits = logits_of({0.2, 0.2, 0.2, 0.2, 0.2});
  const auto draw = [&](uint64_t seed, int step) {
    std::vector<TokenId> tokens;
    for (int position = 0; position < 30; ++position) {
      TokenQuery query{.temperature = 1, .seed = seed, .step = step};
      tokens.push_back(stats_of(logits, query, position).token);
    }
    return tokens;
  };
  EXPECT_EQ(draw(1, 2), draw(1, 2));
  EXPECT_NE(draw(1, 2), draw(2, 2));
  EXPECT_NE(draw(1, 2), draw(1, 3));
}

}  // namespace
}  // namespace unmask
