#include "eval/calibration.h"

#include <cmath>
#include <gtest/gtest.h>

#include "eval/draw.h"

namespace unmask {
namespace {

/// Verdicts whose right options are drawn from their own probabilities at `temperature`.
std::vector<JudgedVerdict> drawn(double temperature, int options, int count) {
  std::vector<JudgedVerdict> all;
  for (int i = 0; i < count; ++i) {
    Draw draw(7, "calibration", options, i);
    JudgedVerdict judged;
    for (int o = 0; o < options; ++o) judged.verdict.log_shares.push_back(4 * draw.unit());
    const std::vector<double> p = probabilities(judged.verdict, temperature);
    double left = draw.unit();
    for (; judged.right + 1 < p.size() && left > p[judged.right]; ++judged.right) {
      left -= p[judged.right];
    }
    all.push_back(std::move(judged));
  }
  return all;
}

TEST(Calibration, RecoversTheTemperatureThatAnswersWereDrawnAt) {
  for (const double temperature : {0.4, 1.0, 2.5}) {
    for (const int options : {2, 5}) {
      const std::vector<JudgedVerdict> all = drawn(temperature, options, 20'000);
      const double found = fit_temperature(all);
      EXPECT_NEAR(found / temperature, 1, 0.06) << temperature << " of " << options;
      EXPECT_LT(calibration_error(all, found), 0.015);
      if (temperature != 1) {
        EXPECT_GT(calibration_error(all, 1), 0.03);
        EXPECT_LT(log_loss(all, found), log_loss(all, 1));
      }
    }
  }
}

TEST(Calibration, OfVerdictsThatSayNothingEndsAtTheUpperLimit) {
  std::vector<JudgedVerdict> all = drawn(1, 2, 100);
  for (size_t i = 0; i < all.size(); ++i) all[i].right = i % 2;
  for (JudgedVerdict& v : all) v.verdict.log_shares = {3, 0};
  EXPECT_GT(fit_temperature(all), 19);
  EXPECT_EQ(fit_temperature({}), 1);
}

TEST(Calibration, IsMeasuredByHand) {
  // Two verdicts of 0.8, one right: 0.3 too sure. One of 0.6, right: 0.4 too unsure.
  const auto verdict = [](double p) { return Verdict{{std::log(p), std::log(1 - p)}, 1}; };
  const std::vector<JudgedVerdict> all{{verdict(0.8), 0}, {verdict(0.8), 1}, {verdict(0.6), 0}};
  EXPECT_NEAR(accuracy(all), 2.0 / 3, 1e-12);
  EXPECT_NEAR(calibration_error(all, 1), (2 * 0.3 + 0.4) / 3, 1e-12);
  EXPECT_NEAR(log_loss(all, 1), -(std::log(0.8) + std::log(0.2) + std::log(0.6)) / 3, 1e-12);
}

}  // namespace
}  // namespace unmask
