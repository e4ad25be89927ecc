// Temperatures that turn a model's shares into probabilities that were checked on questions with
// known answers (temperature scaling, arXiv 1706.04599).
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "session/decisions/decide.h"

namespace unmask {

/// What `unmask calibrate` found, for questions put the way it put them.
struct DecisionCalibration {
  std::array<double, 3> temperatures{1, 1, 1};  // by QuestionType
  bool text_labels = false;
  int permutations = 1;
  std::string fitted_on{};  // in words
  int count = 0;            // questions that the temperatures were fitted to
  double ece_before = 0;    // expected calibration error of other questions, at temperature 1
  double ece_after = 0;     // and at these temperatures

  double temperature(QuestionType type) const { return temperatures[static_cast<size_t>(type)]; }
  /// Whether it says anything about questions put like this.
  bool covers(const DecideOptions& options) const {
    return options.text_labels == text_labels && options.permutations == permutations;
  }
};

nlohmann::ordered_json to_json(const DecisionCalibration& calibration);
/// Throws Error naming what is missing or out of range.
DecisionCalibration read_calibration(const std::filesystem::path& file);

}  // namespace unmask
