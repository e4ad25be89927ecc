// How far probabilities of answers can be believed, and the temperature that makes them so
// (temperature scaling, arXiv 1706.04599).
#pragma once

#include <span>

#include "session/decisions/question.h"

namespace unmask {

/// A verdict and the option that was right.
struct JudgedVerdict {
  Verdict verdict;
  size_t right = 0;
};

/// Share of verdicts whose likeliest option was right; the first of equal ones counts.
double accuracy(std::span<const JudgedVerdict> verdicts);

/// Mean of -log p(right option), nats.
double log_loss(std::span<const JudgedVerdict> verdicts, double temperature);

/// Expected calibration error: the distance between the probability of the likeliest option and the
/// share of such verdicts that were right, in ten bins of equal width, weighed by their verdicts.
double calibration_error(std::span<const JudgedVerdict> verdicts, double temperature);

inline constexpr double kLowestTemperature = 0.05;
inline constexpr double kHighestTemperature = 20;

/// The temperature of the least log_loss, to a thousandth of itself, within the limits above; 1
/// without verdicts. A model that knows nothing drives it to the upper one.
double fit_temperature(std::span<const JudgedVerdict> verdicts);

}  // namespace unmask
