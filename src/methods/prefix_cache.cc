#include "methods/prefix_cache.h"

#include <algorithm>

namespace unmask {

StepPlan PrefixCache::plan_step(const Step& step) {
  if (step.due == 0) return {};
  const int end = visibility_.end(step.block.end - 1, step.length());
  const int begin = std::max(0, final_ - logit_shift_);
  planned_ = final_;
  while (planned_ < end) {
    const int next = visibility_.end(planned_, step.length());
    const auto block =
        step.tokens.subspan(static_cast<size_t>(planned_), static_cast<size_t>(next - planned_));
    if (std::find(block.begin(), block.end(), step.mask_id) != block.end()) break;
    planned_ = next;
  }
  return {.rows = Rows(Range{begin, end})};
}

Attention PrefixCache::attend(AttendScope& scope) {
  final_ = planned_;
  return PositionCache::attend(scope);
}

std::unique_ptr<Method> create_prefix_cache(Options& /*options*/, const MethodContext& context) {
  return std::make_unique<PrefixCache>(context.config.visibility, context.config.logit_shift);
}

}  // namespace unmask
