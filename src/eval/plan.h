// What an evaluation asks: tasks at lengths, and the methods that answer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/example.h"
#include "eval/filler.h"
#include "eval/summary.h"
#include "session/request_builder.h"

namespace unmask {

/// What a user asks an evaluation for.
struct EvalSettings {
  PromptOptions prompt{};
  RequestOptions generation{.preset = Preset::exact};  // but for its method
  std::optional<std::string> experiment{};
  std::vector<std::string> tasks{};  // generated ones
  std::vector<int> lengths{};        // of their canvases
  std::vector<std::string> files{};
  std::optional<std::string> metric{};  // of examples in files that name none
  Wording wording = Wording::last;
  // Or presets, which replace that of `generation`; rules behind either, see commit_rules.h.
  std::vector<std::string> methods{};
  int limit = 100;    // examples of each task and length
  int samples = 128;  // maskings of a likelihood
  bool fidelity = false;
};

/// One task at one length.
struct EvalTask {
  CellName name{};
  int count = 0;  // examples
  std::function<Example(int index)> example{};
};

struct EvalPlan {
  std::vector<EvalTask> tasks{};
  std::vector<std::string> methods{};    // the first is what the others are compared with
  std::optional<int> tokens_per_step{};  // of the methods, where a user has not said otherwise

  int generations() const;
  /// The longest canvas that is asked for; 0 where files decide.
  int longest() const;
};

/// Throws Error when there is nothing to do or a method, a task or a file is impossible.
EvalPlan plan_evaluation(const EvalSettings& settings, const ModelFiles& files);

/// The canvas for an example under a method. Throws Error as build_request.
Request eval_request(const EvalSettings& settings, const EvalPlan& plan, const ModelFiles& files,
                     const Example& example, const std::string& method);

/// The tokens of an example's prompt in the model's chat template, or raw.
std::vector<TokenId> eval_prompt(const EvalSettings& settings, const ModelFiles& files,
                                 const Example& example);

}  // namespace unmask
