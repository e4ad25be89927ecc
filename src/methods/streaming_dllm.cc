#include "methods/streaming_dllm.h"

#include <algorithm>

#include "methods/options.h"
#include "methods/tail_cache.h"

namespace unmask {

namespace {

/// Share of masks among the positions from the block's first on.
double masked_share(const Step& step, const Rows& rows) {
  int masks = 0;
  for (const int p : rows) masks += step.masked(p) ? 1 : 0;
  return static_cast<double>(masks) / rows.size();
}

}  // namespace

std::vector<int> StreamingDllm::seen(const Step& step, int begin) const {
  const int last = step.length() - 1;
  std::vector<int> positions;
  for (int p = begin; p <= std::min(last, step.block.end - 1 + options_.window); ++p) {
    positions.push_back(p);
  }
  // The end of the canvas tells the model how long the text may become.
  if (positions.back() != last) positions.push_back(last);
  return positions;
}

StepPlan StreamingDllm::plan_step(const Step& step) {
  const Range block = step.block;
  StepPlan plan;
  if (step.in_block > 0) {
    plan.rows = Rows(seen(step, block.begin));
    plan.steady = plan.drafts = true;
    plan.threshold_scale = 1 - options_.alpha * (1 - masked_share(step, plan.rows));
  } else {
    slots_ = seen(step, 0);
    const Rows& fresh = refresh_.of(step);
    std::vector<int> rows;
    for (const int p : slots_) {
      if (p >= block.begin || std::ranges::binary_search(fresh, p)) rows.push_back(p);
    }
    plan.rows = Rows(std::move(rows));
    if (options_.first_alone) plan.decides = {block.begin, block.begin + 1};
  }
  refresh_.computed(step, plan);
  return plan;
}

Attention StreamingDllm::attend(AttendScope& scope) {
  if (scope.step.in_block == 0) {
    if (options_.refresh.everything()) {  // a slot is a row of the block's first pass
      scope.store.reset(scope.backend, scope.k.rows, scope.k.cols);
    } else {
      if (scope.layer >= static_cast<int>(carried_.size())) carried_.resize(carried_.size() + 1);
      carried_[static_cast<size_t>(scope.layer)].begin(
          scope, [&](int p) { return std::ranges::binary_search(slots_, p); });
    }
  }
  return attend_with_fresh_tail(scope);
}

std::vector<int> StreamingDllm::slot_positions(const AttendScope& scope, int kv_head) const {
  if (options_.refresh.everything()) return slots_;
  return carried_[static_cast<size_t>(scope.layer)].positions(kv_head);
}

std::unique_ptr<Method> create_streaming_dllm(Options& options, const MethodContext& context) {
  const StreamingDllmOptions defaults;
  return std::make_unique<StreamingDllm>(
      StreamingDllmOptions{.window = options.count("window", defaults.window, 0, kLongerThanAny),
                           .alpha = options.number("alpha", defaults.alpha, 0, 1),
                           .first_alone = context.config.logit_shift > 0,
                           .refresh = read_refresh_before(options)});
}

}  // namespace unmask
