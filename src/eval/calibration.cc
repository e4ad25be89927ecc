#include "eval/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace unmask {

namespace {

constexpr size_t kBins = 10;
constexpr double kPrecision = 1e-3;  // of the logarithm of a temperature

size_t likeliest(const std::vector<double>& p) {
  return static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

}  // namespace

double accuracy(std::span<const JudgedVerdict> verdicts) {
  if (verdicts.empty()) return 0;
  const auto right = std::count_if(verdicts.begin(), verdicts.end(), [](const JudgedVerdict& v) {
    return likeliest(v.verdict.log_shares) == v.right;
  });
  return static_cast<double>(right) / static_cast<double>(verdicts.size());
}

double log_loss(std::span<const JudgedVerdict> verdicts, double temperature) {
  double sum = 0;
  for (const JudgedVerdict& v : verdicts) {
    // Through the logarithms: a sure mistake at a low temperature would be log 0.
    const std::vector<double>& logs = v.verdict.log_shares;
    const double largest = *std::max_element(logs.begin(), logs.end());
    double all = 0;
    for (const double x : logs) all += std::exp((x - largest) / temperature);
    sum += std::log(all) - (logs[v.right] - largest) / temperature;
  }
  return verdicts.empty() ? 0 : sum / static_cast<double>(verdicts.size());
}

double calibration_error(std::span<const JudgedVerdict> verdicts, double temperature) {
  std::array<double, kBins> surplus{};  // probability less hits, summed
  for (const JudgedVerdict& v : verdicts) {
    const std::vector<double> p = probabilities(v.verdict, temperature);
    const size_t best = likeliest(p);
    const auto bin = std::min(kBins - 1, static_cast<size_t>(p[best] * kBins));
    surplus[bin] += p[best] - (best == v.right ? 1 : 0);
  }
  double error = 0;
  for (const double s : surplus) error += std::abs(s);
  return verdicts.empty() ? 0 : error / static_cast<double>(verdicts.size());
}

double fit_temperature(std::span<const JudgedVerdict> verdicts) {
  if (verdicts.empty()) return 1;
  // The loss is convex in 1 / T, so it has one valley in log T: golden section.
  constexpr double kGolden = 1 / std::numbers::phi;
  double low = std::log(kLowestTemperature);
  double high = std::log(kHighestTemperature);
  const auto loss = [&](double x) { return log_loss(verdicts, std::exp(x)); };
  double a = high - kGolden * (high - low);
  double b = low + kGolden * (high - low);
  double loss_a = loss(a);
  double loss_b = loss(b);
  while (high - low > kPrecision) {
    if (loss_a < loss_b) {
      high = b;
      b = a;
      loss_b = loss_a;
      a = high - kGolden * (high - low);
      loss_a = loss(a);
    } else {
      low = a;
      a = b;
      loss_a = loss_b;
      b = low + kGolden * (high - low);
      loss_b = loss(b);
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace unmask
