// Plans how many tokens each step of a block decides.
#pragma once

#include <vector>

#include "sampling/sampler.h"

namespace unmask {

/// The plan of one block.
class Schedule {
 public:
  /// `masks`: masked positions of the block when it begins; `steps` >= 1.
  Schedule(const SamplerOptions& options, int masks, int steps);

  int steps() const { return steps_; }
  /// What step `in_block` (counted from 0) decides while `masks_left` positions are open.
  ///  LLaDA: masks / steps, one more in the first masks % steps steps.
  ///  Dream: times t from 1 to eps in float32; trunc(left * (1 - t[i+1] / t[i])), the last step
  ///  all. Dynamic rules: everything that is open; if paced, what an even schedule would have
  ///  decided by now.
  Budget budget(int in_block, int masks_left) const;

 private:
  const bool dynamic_;
  const bool paced_;
  const bool uniform_;
  const int masks_;
  const int steps_;
  std::vector<float> times_;  // [steps + 1]
};

}  // namespace unmask
