// What a request with a constraint needs of a row of logits beside its statistics.
#pragma once

#include <span>
#include <vector>

#include "constrain/witness.h"
#include "kernels/backend.h"

namespace unmask {

struct ConstrainedRow {
  ClassMaxima best;                  // with a temperature, of logits + T Gumbel noise
  std::vector<float> probabilities;  // [n_classes] what the model itself gives those tokens
};

/// Reduces `logits`, as they were before `stats` was made of them. With a temperature the numbers
/// are random, keyed by seed, step and position.
ConstrainedRow constrained_row(std::span<const float> logits, const TokenStats& stats, int position,
                               const TokenQuery& query, const TokenAutomaton& automaton);

}  // namespace unmask
