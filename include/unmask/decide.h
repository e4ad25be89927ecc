// Questions with a fixed set of answers, and how likely an answer is: passes without denoising.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "unmask/error.h"

namespace unmask_v0 {

enum class QuestionKind : int {
  yes_no = 0,  // options stay empty, or say what speaks for yes and for no
  choice = 1,  // one of the options
  level = 2    // one of the options, which are in order, the lowest first
};

struct AnswerOption {
  std::string text{};
  std::string description{};  // optional
};

struct Question {
  QuestionKind kind = QuestionKind::yes_no;
  std::string text{};
  std::vector<AnswerOption> options{};
};

struct DecideOptions {
  std::optional<std::string> chat_template{};  // a name; otherwise the model's own
  bool text_labels = false;  // options are answered in their own words instead of by a label
  int permutations = 1;      // orders of a question's options, whose answers are averaged
  std::optional<std::string> calibration{};  // file of `unmask calibrate`
};

struct Answer {
  std::vector<double> probabilities{};  // of the options, which sum to 1; of yes and no
  int best = 0;                         // the likeliest option
  double confidence = 0;                // 1: certain, 0: no option preferred
  double level = 0;                     // mean level of a question of that kind, from 0
  double label_mass = 0;  // share of all tokens that name an option at all; little means that the
                          // model does not take the question for one
};

struct ScoreOptions {
  bool raw = false;
  std::optional<std::string> system{};
  std::optional<std::string> chat_template{};
  int samples = 128;       // maskings, at least 16 and in groups of 8
  std::uint64_t seed = 0;  // of the maskings
};

/// A Monte-Carlo estimate of the log-likelihood (arXiv 2502.09992), a lower bound in expectation.
struct Score {
  double log_likelihood = 0;  // nats, of the whole answer
  double standard_error = 0;  // of the estimate; 0 for an answer of one token, which is exact
  int tokens = 0;             // of the answer
  int samples = 0;            // maskings that were evaluated
};

}  // namespace unmask_v0
