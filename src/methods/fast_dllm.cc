#include "methods/fast_dllm.h"

namespace unmask {

StepPlan FastDllm::plan_step(const Step& step) {
  const Range block = step.block;
  if (step.in_block > 0) {
    return {.rows = Rows(options_.dual ? block : Range{block.begin, step.length()}),
            .steady = true};
  }
  const Range first{block.begin, block.begin + 1};
  return {.rows = Rows(step.all()), .decides = options_.first_alone ? first : Range{}};
}

std::unique_ptr<Method> create_fast_dllm(Options& options, const MethodContext& context) {
  return std::make_unique<FastDllm>(
      FastDllmOptions{.dual = options.choice("cache", {"prefix", "dual"}) == "dual",
                      .first_alone = context.config.logit_shift > 0});
}

}  // namespace unmask
