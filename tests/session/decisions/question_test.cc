#include "session/decisions/question.h"

#include <cmath>
#include <gtest/gtest.h>

namespace unmask {
namespace {

TEST(Probabilities, AreTheSharesToThePowerOfOneOverTheTemperature) {
  const Verdict verdict{{std::log(0.5), std::log(0.3), std::log(0.2)}, 1};
  const std::vector<double> same = probabilities(verdict, 1);
  EXPECT_NEAR(same[0], 0.5, 1e-12);
  EXPECT_NEAR(same[2], 0.2, 1e-12);
  const std::vector<double> softer = probabilities(verdict, 2);
  const double sum = std::sqrt(0.5) + std::sqrt(0.3) + std::sqrt(0.2);
  EXPECT_NEAR(softer[1], std::sqrt(0.3) / sum, 1e-12);
}

TEST(Confidence, OfAChoiceIsZeroForNoPreferenceAndOneForCertainty) {
  EXPECT_NEAR(choice_confidence(std::vector<double>{0.25, 0.25, 0.25, 0.25}), 0, 1e-12);
  EXPECT_NEAR(choice_confidence(std::vector<double>{0, 1, 0}), 1, 1e-12);
  EXPECT_NEAR(choice_confidence(std::vector<double>{0.7, 0.3}), 0.4, 1e-12);
}

TEST(Confidence, OfAScoreFallsWithTheDistanceFromTheLikeliestLevel) {
  EXPECT_NEAR(score_confidence(std::vector<double>{0, 0, 1}), 1, 1e-12);
  // Levels are 2/3 away from their middle on average; here 0.2 * 1 from the likeliest.
  EXPECT_NEAR(score_confidence(std::vector<double>{0.8, 0.2, 0}), 1 - 0.2 / (2.0 / 3), 1e-12);
  EXPECT_GT(score_confidence(std::vector<double>{0.8, 0.2, 0}),
            score_confidence(std::vector<double>{0.8, 0, 0.2}));
  EXPECT_EQ(score_confidence(std::vector<double>{0.4, 0.2, 0.4}), 0);
}

TEST(ExpectedLevel, IsTheMean) {
  EXPECT_NEAR(expected_level(std::vector<double>{0.5, 0, 0.5}), 1, 1e-12);
}

}  // namespace
}  // namespace unmask
