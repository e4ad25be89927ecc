// Answers every example with every method.
#pragma once

#include "apps/commands/eval_plan.h"
#include "apps/commands/eval_store.h"
#include "apps/terminal/console.h"
#include "kernels/counting/backend.h"
#include "session/loaded_model.h"

namespace unmask {

struct EvalRun {
  const EvalArguments& arguments;
  const EvalPlan& plan;
  const ModelFiles& files;
};

/// Adds what `store` does not have yet; each example is answered by all methods before the next.
/// Returns false after Ctrl-C.
bool run_evaluation(const EvalRun& run, LoadedModel& model, ResultStore& store, Console& console);

/// Plans what the methods cost on the first examples and enters it into `summary`.
void add_costs(const EvalRun& run, const ElementSizes& sizes, Summary& summary);

}  // namespace unmask
