// Plans how many tokens each step of a block decides.
#pragma once

#include <vector>

#include "sampling/sampler.h"

namespace unmask {

/// The plan of one block.
class Schedule {
 public:
  /// `masks`: masked positions of the block when it begins; `steps` >= 1; `positions`: of the whole
  /// block, which only Counts::even_block asks for.
  Schedule(const SamplerOptions& options, int masks, int steps, int positions = 0);

  /// Steps that the block takes; with a threshold or a factor it may take fewer or more.
  int steps() const { return steps_; }
  /// What step `in_block` (counted from 0) decides while `masks_left` positions are open; see
  /// Counts. Dynamic rules: everything that is open, or the least; if paced, what an even schedule
  /// would have decided by now.
  Budget budget(int in_block, int masks_left) const;

 private:
  void plan_linear();

  const bool dynamic_;  // and nothing is due at least
  const bool paced_;
  const Counts counts_;
  const int per_step_;
  const int masks_;
  const int positions_;
  int steps_;
  std::vector<float> times_;  // [steps + 1]
  std::vector<int> planned_;  // [steps] tokens, of Counts::linear
};

}  // namespace unmask
