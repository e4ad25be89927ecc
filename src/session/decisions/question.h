// Questions with a fixed set of answers, and what a model makes of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// Yes or no, one of several options, a level of several in order.
enum class QuestionType : uint8_t { predicate, choice, score };

inline constexpr std::array kQuestionTypes{QuestionType::predicate, QuestionType::choice,
                                           QuestionType::score};
std::string_view question_type_name(QuestionType type);

struct AnswerOption {
  std::string text;
  std::string description{};  // optional
};

struct Question {
  QuestionType type;
  std::string instructions;
  std::vector<AnswerOption> options;  // of a score from the lowest level on
};

/// A question whose options are yes and no, in this order, with what speaks for either (optional).
Question make_predicate(std::string instructions, std::string yes_means = {},
                        std::string no_means = {});

/// What a model says to a question.
struct Verdict {
  std::vector<double> log_shares;  // natural logarithms of the options' shares, which sum to 1
  double label_mass = 0;           // share of all tokens that name an option at all
};

/// The shares of the options, each to the power 1 / `temperature`, as a distribution.
std::vector<double> probabilities(const Verdict& verdict, double temperature);

// What the largest probability or the spread around it leaves of doubt: 1 for certainty, 0 for none
// of the options preferred.

/// (n p_max - 1) / (n - 1).
double choice_confidence(std::span<const double> probabilities);
/// 1 less the mean distance from the likeliest level, as a share of the mean distance of all levels
/// from their middle; at least 0.
double score_confidence(std::span<const double> probabilities);
/// The mean level, from 0.
double expected_level(std::span<const double> probabilities);

}  // namespace unmask
