#include "generate/constrained_row.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace unmask {

namespace {

constexpr uint32_t kConstraintStream = 0xA0000000U;  // token_stats.cc and sampler.cc use others

std::vector<float> perturbed(std::span<const float> logits, int position, const TokenQuery& query) {
  const Philox random(query.seed);
  std::vector<float> out(logits.begin(), logits.end());
  for (size_t i = 0; i < out.size(); ++i) {
    const auto bits = random(static_cast<uint32_t>(i), static_cast<uint32_t>(position),
                             static_cast<uint32_t>(query.step), kConstraintStream);
    const double gumbel = -std::log(-std::log(open_unit(bits[0], bits[1])));
    out[i] = static_cast<float>(out[i] + query.temperature * gumbel);
  }
  return out;
}

}  // namespace

ConstrainedRow constrained_row(std::span<const float> logits, const TokenStats& stats, int position,
                               const TokenQuery& query, const TokenAutomaton& automaton) {
  ConstrainedRow row;
  if (query.temperature > 0) {
    class_maxima(perturbed(logits, position, query), automaton, row.best);
  } else {
    class_maxima(logits, automaton, row.best);
  }
  // Probabilities follow from the one that is known: their ratios are those of the logits.
  const bool scaled = query.noise == Noise::categorical && query.temperature > 0;
  const double scale = scaled ? query.temperature : 1;
  const double known = logits[static_cast<size_t>(stats.token)];
  for (const TokenId token : row.best.tokens) {
    const double ratio = std::exp((logits[static_cast<size_t>(token)] - known) / scale);
    row.probabilities.push_back(static_cast<float>(std::min(1.0, stats.probability * ratio)));
  }
  return row;
}

}  // namespace unmask
