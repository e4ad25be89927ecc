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

StepPlan StreamingDllm::plan_step(const Step& step) {
  const Range block = step.block;
  const bool first = step.in_block == 0;
  const int last = step.length() - 1;
  std::vector<int> rows;
  for (int p = first ? 0 : block.begin; p <= std::min(last, block.end - 1 + options_.window); ++p) {
    rows.push_back(p);
  }
  // The end of the canvas tells the model how long the text may become.
  if (rows.back() != last) rows.push_back(last);
  StepPlan plan{.rows = Rows(std::move(rows)), .steady = !first};
  if (first) {
    if (options_.first_alone) plan.decides = {block.begin, block.begin + 1};
  } else {
    plan.threshold_scale = 1 - options_.alpha * (1 - masked_share(step, plan.rows));
  }
  return plan;
}

Attention StreamingDllm::attend(AttendScope& scope) {
  // A slot is a row of the block's first pass.
  if (scope.step.in_block == 0) {
    scope.store.reset(scope.backend, scope.k.rows, scope.k.cols);
    slots_.assign(scope.positions.begin(), scope.positions.end());
  }
  return attend_with_fresh_tail(scope);
}

std::vector<int> StreamingDllm::slot_positions(const AttendScope& /*scope*/,
                                               int /*kv_head*/) const {
  return slots_;
}

std::unique_ptr<Method> create_streaming_dllm(Options& options, const MethodContext& context) {
  const StreamingDllmOptions defaults;
  return std::make_unique<StreamingDllm>(
      StreamingDllmOptions{.window = options.count("window", defaults.window, 0, kLongerThanAny),
                           .alpha = options.number("alpha", defaults.alpha, 0, 1),
                           .first_alone = context.config.logit_shift > 0});
}

}  // namespace unmask
