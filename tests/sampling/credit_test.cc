#include "sampling/credit.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace unmask {
namespace {

constexpr int kVocab = 12;

/// Two tokens of which now one, now the other is the likeliest.
std::vector<float> draw_logits(std::mt19937& random) {
  std::normal_distribution<float> normal(0, 0.5F);
  std::vector<float> logits(kVocab);
  for (float& x : logits) x = normal(random);
  logits[3] += 3;
  logits[8] += 3;
  return logits;
}

std::vector<double> softmax(const std::vector<double>& logits) {
  double sum = 0;
  std::vector<double> p;
  for (const double x : logits) sum += std::exp(x);
  for (const double x : logits) p.push_back(std::exp(x) / sum);
  return p;
}

TokenStats stats_of(const std::vector<double>& p) {
  const auto top = std::max_element(p.begin(), p.end());
  return {.token = static_cast<TokenId>(top - p.begin()), .probability = static_cast<float>(*top)};
}

/// As published: a table over the whole vocabulary, added to the logits.
class Table {
 public:
  TokenStats vote(const std::vector<float>& logits, bool first) {
    std::vector<double> raised(logits.begin(), logits.end());
    const TokenStats proposed = stats_of(softmax(raised));
    for (double& c : credit_) c *= first ? 1 : 0.8;
    credit_[static_cast<size_t>(proposed.token)] += std::pow(proposed.probability, 0.2);
    for (size_t k = 0; k < raised.size(); ++k) raised[k] += 0.7 * std::log(1 + credit_[k]);
    return stats_of(softmax(raised));
  }

 private:
  std::vector<double> credit_ = std::vector<double>(kVocab);
};

TEST(Credit, IsTheSoftmaxOfLogitsWithCredit) {
  std::mt19937 random(3);
  int changed = 0;
  for (int block = 0; block < 40; ++block) {
    Credit credit{CreditRule{}};
    std::vector<Table> tables(5);
    for (int pass = 0; pass < 12; ++pass) {
      credit.begin_pass(block);
      for (int position = pass / 3; position < 5; ++position) {  // some are decided meanwhile
        const std::vector<float> logits = draw_logits(random);
        TokenStats stats = stats_of(softmax({logits.begin(), logits.end()}));
        const TokenId proposed = stats.token;
        credit.vote(position, logits, stats);
        const TokenStats expected = tables[static_cast<size_t>(position)].vote(logits, pass == 0);
        EXPECT_EQ(stats.token, expected.token);
        EXPECT_NEAR(stats.probability, expected.probability, 1e-5);
        changed += stats.token != proposed ? 1 : 0;
      }
    }
  }
  EXPECT_GT(changed, 20);
}

TEST(Credit, FadesWithEveryPassAndEndsWithItsBlock) {
  Credit credit{CreditRule{.decay = 0}};
  const std::vector<float> logits{2, 1};
  const TokenStats once{.token = 0, .probability = 0.7311F};
  const auto after = [&](int block) {
    credit.begin_pass(block);
    TokenStats stats = once;
    credit.vote(0, logits, stats);
    return stats.probability;
  };
  const float first = after(0);
  EXPECT_GT(first, once.probability);
  EXPECT_FLOAT_EQ(after(0), first);  // nothing is left of the first vote
  EXPECT_FLOAT_EQ(after(8), first);
  Credit lasting{CreditRule{}};
  TokenStats stats = once;
  lasting.begin_pass(0);
  lasting.vote(0, logits, stats);
  stats = once;
  lasting.begin_pass(0);
  lasting.vote(0, logits, stats);
  EXPECT_GT(stats.probability, first);
  stats = once;
  lasting.begin_pass(8);
  lasting.vote(0, logits, stats);
  EXPECT_FLOAT_EQ(stats.probability, first);
}

TEST(Credit, LeavesAProposalWithoutProbabilityAlone) {
  Credit credit{CreditRule{}};
  credit.begin_pass(0);
  TokenStats stats{.token = 1, .probability = 0};
  credit.vote(0, std::vector<float>{0, 5}, stats);
  EXPECT_EQ(stats.token, 1);
  EXPECT_EQ(stats.probability, 0);
}

}  // namespace
}  // namespace unmask
