#include "methods/fast_dllm.h"

#include "core/error.h"

namespace unmask {

StepPlan FastDllm::plan_step(const Step& step) {
  const Range block = step.block;
  StepPlan plan;
  if (step.in_block > 0) {
    plan.rows = Rows(options_.dual ? block : Range{block.begin, step.length()});
    plan.steady = true;
  } else {
    plan.rows = refresh_.of(step);
    if (options_.first_alone) plan.decides = {block.begin, block.begin + 1};
  }
  refresh_.computed(step, plan);
  return plan;
}

std::unique_ptr<Method> create_fast_dllm(Options& options, const MethodContext& context) {
  const FastDllmOptions o{.dual = options.choice("cache", {"prefix", "dual"}) == "dual",
                          .first_alone = context.config.logit_shift > 0,
                          .refresh = read_refresh(options)};
  if (!o.dual && !o.refresh.suffix) {
    fail(
        "[method] fast-dllm: option 'suffix': found keep, which goes with cache=dual only: the "
        "prefix cache computes what follows the block in every step");
  }
  return std::make_unique<FastDllm>(o);
}

}  // namespace unmask
