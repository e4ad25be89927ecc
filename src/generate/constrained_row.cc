#include "generate/constrained_row.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace unmask {

namespace {

constexpr uint32_t kConstraintStream = 0xA0000000U;  // token_stats.cc and sampler.cc use others

/// What class_maxima() would make of logits + T Gumbel noise, in distribution: the largest of a
/// class is T (log sum exp(logit / T) + one Gumbel number), and which token it is follows the
/// softmax of the class. That is one exp a token instead of two logarithms.
ClassMaxima perturbed_maxima(std::span<const float> logits, int position, const TokenQuery& query,
                             const TokenAutomaton& automaton) {
  const std::span<const int> classes = automaton.classes();
  const size_t n = classes.size();
  const double largest = *std::max_element(logits.begin(), logits.end());
  const auto n_classes = static_cast<size_t>(automaton.n_classes());
  std::vector<float> weights(n);
  std::vector<double> left(n_classes, 0);
  for (size_t t = 0; t < n; ++t) {
    weights[t] = std::exp(static_cast<float>((logits[t] - largest) / query.temperature));
    left[static_cast<size_t>(classes[t])] += weights[t];
  }
  const std::span<const TokenId> first = automaton.first_tokens();
  ClassMaxima maxima{std::vector<float>(n_classes), {first.begin(), first.end()}};
  const Philox random(query.seed);
  for (size_t c = 0; c < n_classes; ++c) {
    const auto bits = random(static_cast<uint32_t>(c), static_cast<uint32_t>(position),
                             static_cast<uint32_t>(query.step), kConstraintStream);
    const double gumbel = -std::log(-std::log(open_unit(bits[0], bits[1])));
    maxima.scores[c] =
        static_cast<float>(largest + query.temperature * (std::log(left[c]) + gumbel));
    left[c] *= open_unit(bits[2], bits[3]);
  }
  for (size_t t = 0; t < n; ++t) {
    const auto c = static_cast<size_t>(classes[t]);
    if (left[c] < 0 || weights[t] == 0) continue;  // was found before
    maxima.tokens[c] = static_cast<TokenId>(t);
    left[c] -= weights[t];
  }
  return maxima;
}

}  // namespace

ConstrainedRow constrained_row(std::span<const float> logits, const TokenStats& stats, int position,
                               const TokenQuery& query, const TokenAutomaton& automaton) {
  ConstrainedRow row;
  if (query.temperature > 0) {
    row.best = perturbed_maxima(logits, position, query, automaton);
  } else {
    class_maxima(logits, automaton, row.best);
  }
  // Probabilities follow from the one that is known: their ratios are those of the logits.
  const bool scaled = query.noise != Noise::gumbel && query.temperature > 0;
  const double scale = scaled ? query.temperature : 1;
  const double known = logits[static_cast<size_t>(stats.token)];
  for (const TokenId token : row.best.tokens) {
    const double ratio = std::exp((logits[static_cast<size_t>(token)] - known) / scale);
    row.probabilities.push_back(static_cast<float>(std::min(1.0, stats.probability * ratio)));
  }
  return row;
}

}  // namespace unmask
