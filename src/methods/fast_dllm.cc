#include "methods/fast_dllm.h"

#include <algorithm>

#include "core/error.h"

namespace unmask {

std::optional<int> FastDllm::reusable() const {
  if (!begun_ || renewed_ || prepared_ == 0) return std::nullopt;
  return prepared_;
}

void FastDllm::resume(int positions) {
  prepared_ = positions;
  refresh_.resume(positions);
}

Range FastDllm::next_chunk(const Step& step) const {
  const int chunk = options_.refresh.prompt_chunk;
  if (chunk == 0 || begun_) return {};
  // The row that predicts the first position behind the prompt belongs to the block.
  const int last = step.prompt_length - (options_.first_alone ? 1 : 0);
  return {prepared_, std::min(prepared_ + chunk, last / chunk * chunk)};
}

StepPlan FastDllm::plan_step(const Step& step) {
  const Range block = step.block;
  StepPlan plan;
  if (const Range chunk = next_chunk(step); chunk.size() > 0) {
    plan = {.rows = Rows(chunk), .prepares = true};
    prepared_ = chunk.end;
    refresh_.computed(step, plan);
    return plan;
  }
  begun_ = true;
  if (step.in_block > 0) {
    plan.rows = Rows(options_.dual ? block : Range{block.begin, step.length()});
    plan.steady = plan.drafts = true;
  } else {
    plan.rows = refresh_.of(step);
    renewed_ = renewed_ || *plan.rows.begin() < prepared_;
    if (options_.first_alone) plan.decides = {block.begin, block.begin + 1};
  }
  refresh_.computed(step, plan);
  return plan;
}

std::unique_ptr<Method> create_fast_dllm(Options& options, const MethodContext& context) {
  FastDllmOptions o{.dual = options.choice("cache", {"prefix", "dual"}) == "dual",
                    .first_alone = context.config.logit_shift > 0,
                    .refresh = read_refresh(options)};
  o.refresh.prompt_chunk = options.count("prompt_chunk", 0, 0, 1 << 16);
  if (!o.dual && !o.refresh.suffix) {
    fail(
        "[method] fast-dllm: option 'suffix': found keep, which goes with cache=dual only: the "
        "prefix cache computes what follows the block in every step");
  }
  return std::make_unique<FastDllm>(o);
}

}  // namespace unmask
