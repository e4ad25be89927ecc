#include "generate/check_stats.h"

#include <cmath>

#include "core/error.h"

namespace unmask {

namespace {

[[noreturn]] void refuse(int position, int step) {
  fail(ErrorCode::not_finite,
       "[generation] step {}: the logits of position {} are no finite numbers although all weights "
       "are, so values overflowed on the way",
       step, position);
}

}  // namespace

void check_stats(std::span<const TokenStats> stats, std::span<const int> positions, int step) {
  for (size_t i = 0; i < stats.size(); ++i) {
    // One logit that is no number makes the entropy none; the probability may hide it.
    if (!std::isfinite(stats[i].neg_entropy) || !std::isfinite(stats[i].probability)) {
      refuse(positions[i], step);
    }
  }
}

void check_revealed(std::span<const Revealed> revealed, std::span<const int> positions,
                    int first_step, int steps) {
  for (size_t i = 0; i < revealed.size(); ++i) {
    const bool decided = revealed[i].step < steps;
    if (decided && !std::isfinite(revealed[i].confidence)) {
      refuse(positions[i], first_step + revealed[i].step);
    }
  }
}

}  // namespace unmask
