#include "sampling/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

Schedule::Schedule(const SamplerOptions& options, int masks, int steps, int positions)
    : dynamic_(options.dynamic() && !options.least),
      paced_(options.paced),
      counts_(options.counts.value_or(is_llada_algorithm(options.algorithm) ? Counts::even
                                                                            : Counts::times)),
      per_step_(options.per_step),
      masks_(masks),
      positions_(positions),
      steps_(steps) {
  UNMASK_CHECK(steps >= 1, "a schedule needs a step");
  if (counts_ == Counts::times) times_ = linspace(options.eps, steps);
  if (counts_ == Counts::linear) plan_linear();
  if (counts_ == Counts::countdown) steps_ = std::max(1, steps - 1);
  if (counts_ == Counts::fixed) steps_ = std::numeric_limits<int>::max();
}

// The published code has its shares in float32 and multiplies in float64, and rounds half to even.
void Schedule::plan_linear() {
  const auto masked = [&](int t) {
    const auto time = static_cast<float>(static_cast<double>(t) / steps_);
    return 1.0F - (1.0F - time);
  };
  int left = masks_;
  for (int t = steps_; t > 0 && left > 0; --t) {
    const float share = 1.0F - masked(t - 1) / masked(t);
    const int count = std::min(left, static_cast<int>(std::nearbyint(static_cast<double>(left) *
                                                                     static_cast<double>(share))));
    if (count > 0) planned_.push_back(count);
    left -= count;
  }
  if (planned_.empty()) planned_.push_back(0);
  steps_ = static_cast<int>(planned_.size());
}

Budget Schedule::budget(int in_block, int masks_left) const {
  if (paced_) {
    const int done = in_block + 1;
    const int even = std::min(masks_, done * (masks_ / steps_) + std::min(done, masks_ % steps_));
    return {.count = even - (masks_ - masks_left)};
  }
  if (dynamic_) return {.count = masks_left};
  const auto spread = [&](int n) { return n / steps_ + (in_block < n % steps_ ? 1 : 0); };
  const auto i = static_cast<size_t>(in_block);
  switch (counts_) {
    case Counts::even: return {.count = spread(masks_)};
    case Counts::even_block: return {.count = std::min(masks_left, spread(positions_))};
    case Counts::linear:
      return {.count = std::min(masks_left, i < planned_.size() ? planned_[i] : 0)};
    case Counts::fixed: return {.count = std::min(masks_left, per_step_)};
    case Counts::countdown: {
      const int left = in_block >= steps_ - 1
                           ? 0
                           : static_cast<int>(int64_t{masks_} * (steps_ - in_block) / (steps_ + 1));
      return {.count = std::max(0, masks_left - left)};
    }
    case Counts::times: break;
  }
  if (in_block >= steps_ - 1) return {.count = masks_left, .probability = 1};
  const float share = 1.0F - times_[i + 1] / times_[i];
  return {.count = static_cast<int>(static_cast<float>(masks_left) * share), .probability = share};
}

}  // namespace unmask
