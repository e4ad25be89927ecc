#include "methods/refresh_pattern.h"

namespace unmask {

StepPlan RefreshPattern::plan_step(const Step& step) {
  StepPlan plan = inner().plan_step(step);
  refreshes_ = plan.rows.size() == step.length();
  if (refreshes_) {
    const Range queries = pattern_->plan_step(step).queries;
    if (queries.size() > 0) plan.queries = queries;
    plan.steady = plan.drafts = false;  // the pattern may change from step to step
  }
  return plan;
}

Attention RefreshPattern::attend(AttendScope& scope) {
  Attention attention = inner().attend(scope);
  if (refreshes_) {
    // The keys are the cache's: in a refresh pass they are those of all positions, in order.
    const Attention chosen = pattern_->attend(scope);
    attention.pattern = chosen.pattern;
    attention.importance = chosen.importance;
  }
  return attention;
}

}  // namespace unmask
