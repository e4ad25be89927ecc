#include "sampling/schedule.h"

#include <algorithm>

namespace unmask {

namespace {

/// steps + 1 equidistant float32 numbers from 1 down to `last`, filled from both ends like the
/// array libraries do, so that truncation happens at the same steps.
std::vector<float> linspace(float last, int steps) {
  std::vector<float> times(static_cast<size_t>(steps) + 1);
  const float distance = (last - 1.0F) / static_cast<float>(steps);
  for (int i = 0; i <= steps; ++i) {
    times[static_cast<size_t>(i)] = i < (steps + 1) / 2
                                        ? 1.0F + distance * static_cast<float>(i)
                                        : last - distance * static_cast<float>(steps - i);
  }
  return times;
}

}  // namespace

Schedule::Schedule(const SamplerOptions& options, int masks, int steps)
    : dynamic_(options.dynamic()),
      paced_(options.paced),
      uniform_(is_llada_algorithm(options.algorithm)),
      masks_(masks),
      steps_(steps) {
  UNMASK_CHECK(steps >= 1, "a schedule needs a step");
  if (!uniform_) times_ = linspace(options.eps, steps);
}

Budget Schedule::budget(int in_block, int masks_left) const {
  if (paced_) {
    const int done = in_block + 1;
    const int even = std::min(masks_, done * (masks_ / steps_) + std::min(done, masks_ % steps_));
    return {.count = even - (masks_ - masks_left)};
  }
  if (dynamic_) return {.count = masks_left};
  if (uniform_) return {.count = masks_ / steps_ + (in_block < masks_ % steps_ ? 1 : 0)};
  if (in_block >= steps_ - 1) return {.count = masks_left, .probability = 1};
  const auto i = static_cast<size_t>(in_block);
  const float share = 1.0F - times_[i + 1] / times_[i];
  return {.count = static_cast<int>(static_cast<float>(masks_left) * share), .probability = share};
}

}  // namespace unmask
