// Answers every example with every method.
#pragma once

#include <functional>
#include <optional>

#include "eval/plan.h"
#include "eval/store.h"
#include "session/model.h"

namespace unmask {

struct EvalRun {
  const EvalSettings& settings;
  const EvalPlan& plan;
  EngineOptions engine{};  // that generates the answers
  Shard shard{};           // whose examples are answered
};

/// How far an evaluation is.
struct EvalProgress {
  int done = 0;  // of what the store did not have
  int total = 0;
  RecordKey at{};                        // what is being answered
  std::optional<double> seconds_left{};  // none before the first is done
};
/// Returning false stops the evaluation.
using EvalCallback = std::function<bool(const EvalProgress&)>;

/// Adds what `store` does not have yet; each example is answered by all methods before the next.
/// Returns false when it was stopped.
bool run_evaluation(const EvalRun& run, Model& model, ResultStore& store,
                    const EvalCallback& on_progress);

/// What `store` holds, in the order in which one process would have answered the plan's examples;
/// what is not of the plan comes last.
std::vector<Record> records_in_order(const EvalPlan& plan, const ResultStore& store);

/// Plans what the methods cost on the first examples and enters it into `summary`.
void add_costs(const EvalRun& run, const Model& model, Summary& summary);

}  // namespace unmask
