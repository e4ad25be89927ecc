// What an evaluation asks: tasks at lengths, and the methods that answer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/commands/commands.h"
#include "apps/options/prompt.h"
#include "eval/example.h"
#include "eval/summary.h"

namespace unmask {

/// One task at one length.
struct EvalTask {
  CellName name{};
  int count = 0;  // examples
  std::function<Example(int index)> example{};
};

struct EvalPlan {
  std::vector<EvalTask> tasks{};
  std::vector<std::string> methods{};  // the first is what the others are compared with
  int tokens_per_step = 1;

  int generations() const;
  /// The longest canvas that is asked for; 0 where files decide.
  int longest() const;
};

/// `files` outlives the plan. Throws Error when there is nothing to do or a method, a task or a
/// file is impossible.
EvalPlan plan_evaluation(const EvalArguments& arguments, const ModelFiles& files);

/// The canvas for an example under a method. Throws Error as make_request.
Request eval_request(const EvalArguments& arguments, const EvalPlan& plan, const ModelFiles& files,
                     const Example& example, const std::string& method);

/// The tokens of an example's prompt in the model's chat template, or raw.
std::vector<TokenId> eval_prompt(const EvalArguments& arguments, const ModelFiles& files,
                                 const Example& example);

}  // namespace unmask
