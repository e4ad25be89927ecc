// Logits that are no numbers end a request; otherwise they would look like an answer.
#pragma once

#include <span>
#include <string>

#include "model/transformer.h"

namespace unmask {

/// Throws Error (not_finite) naming step and position when statistics of the logits of `positions`
/// are no finite numbers.
void check_stats(std::span<const TokenStats> stats, std::span<const int> positions, int step);

/// The same of what a series of `steps` from `first_step` on has decided.
void check_revealed(std::span<const Revealed> revealed, std::span<const int> positions,
                    int first_step, int steps);

/// Where numbers overflow on the way to the logits of `tokens`, as the end of a message: the first
/// layer after which a pass of full attention holds what is no finite number. Reuses the memory of
/// the last pass.
std::string place_of_overflow(Transformer& model, std::span<const TokenId> tokens);

}  // namespace unmask
