#include "session/decisions/question.h"

#include <algorithm>
#include <cmath>

namespace unmask {

namespace {

size_t likeliest(std::span<const double> p) {
  return static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

}  // namespace

std::string_view question_type_name(QuestionType type) {
  constexpr std::array<std::string_view, 3> kNames{"predicate", "choice", "score"};
  return kNames[static_cast<size_t>(type)];
}

Question make_predicate(std::string instructions, std::string yes_means, std::string no_means) {
  return {QuestionType::predicate,
          std::move(instructions),
          {{"Yes", std::move(yes_means)}, {"No", std::move(no_means)}}};
}

std::vector<double> probabilities(const Verdict& verdict, double temperature) {
  const std::vector<double>& logs = verdict.log_shares;
  const double largest = *std::max_element(logs.begin(), logs.end());
  std::vector<double> p;
  double sum = 0;
  for (const double x : logs) sum += p.emplace_back(std::exp((x - largest) / temperature));
  for (double& x : p) x /= sum;
  return p;
}

double choice_confidence(std::span<const double> p) {
  const auto n = static_cast<double>(p.size());
  return std::max(0.0, (n * p[likeliest(p)] - 1) / (n - 1));
}

double score_confidence(std::span<const double> p) {
  const auto mode = static_cast<double>(likeliest(p));
  const double middle = static_cast<double>(p.size() - 1) / 2;
  double spread = 0;
  double widest = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const auto level = static_cast<double>(i);
    spread += p[i] * std::abs(level - mode);
    widest += std::abs(level - middle) / static_cast<double>(p.size());
  }
  return std::max(0.0, 1 - spread / widest);
}

double expected_level(std::span<const double> p) {
  double mean = 0;
  for (size_t i = 0; i < p.size(); ++i) mean += p[i] * static_cast<double>(i);
  return mean;
}

}  // namespace unmask
