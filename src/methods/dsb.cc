#include "methods/dsb.h"

#include <algorithm>

namespace unmask {

StepPlan Dsb::plan_step(const Step& step) {
  const Range window = step.block;
  const int moved = window.begin - begin_;
  begin_ = window.begin;
  if (step.in_block == 0 || !options_.cache) return {.rows = Rows(step.all())};
  // What the last step decided is still a mask in the cache.
  const int before = std::min(std::max(moved, options_.prefix), window.begin);
  return {.rows = Rows(Range{window.begin - before, window.end})};
}

std::unique_ptr<Method> create_dsb(Options& options, const MethodContext& context) {
  const DsbOptions defaults;
  const bool constant = options.choice("window", {"greedy", "constant"}) == "constant";
  const int prefix = options.count("prefix", defaults.prefix, 0, kLongerThanAny);
  // Where row p - 1 predicts p, the window's first position needs the row before it.
  return std::make_unique<Dsb>(DsbOptions{.window = constant ? Sliding::constant : Sliding::greedy,
                                          .prefix = std::max(prefix, context.config.logit_shift),
                                          .cache = options.flag("cache", defaults.cache)});
}

}  // namespace unmask
