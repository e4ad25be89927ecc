#include "eval/plan.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "eval/commit_rules.h"
#include "eval/dataset.h"
#include "eval/experiments.h"
#include "eval/metric.h"
#include "eval/tasks.h"
#include "methods/registry.h"

namespace unmask {

namespace {

constexpr int kDefaultLength = 1024;

Example ask(std::string prompt) { return {.messages = {{"user", std::move(prompt)}}}; }

/// Examples of a generated task fill the canvas up to `length`.
EvalTask generated(const EvalSettings& a, const ModelFiles& files, const std::string& name,
                   int length) {
  const GeneratedTask& task = generated_task(name);
  const int gen_length = a.generation.gen_length.value_or(task.gen_length);
  const CountTokens count = [files](std::string_view text) {
    return static_cast<int>(files.tokenizer().encode(text).size());
  };
  // What surrounds a prompt, in tokens.
  const std::string nothing = "Text";
  const int around = static_cast<int>(eval_prompt(a, files, ask(nothing)).size()) - count(nothing);
  const Room room{length - gen_length - around, count, a.wording};
  const uint64_t seed = a.generation.seed;
  return {{name, length}, a.limit, [=, &task](int index) {
            Draw draw(seed, task.name, length, index);
            Puzzle puzzle = task.make(draw, room);
            Example example = ask(std::move(puzzle.prompt));
            example.references = std::move(puzzle.references);
            example.gen_length = gen_length;
            return example;
          }};
}

EvalTask from_file(const EvalSettings& a, const std::string& file) {
  const auto metric = a.metric ? std::optional(parse_metric(*a.metric)) : std::nullopt;
  std::vector<Example> examples = read_dataset(file, a.limit, metric);
  const auto count = static_cast<int>(examples.size());
  return {
      {std::filesystem::path(file).stem().string(), 0},
      count,
      [examples = std::move(examples)](int index) { return examples[static_cast<size_t>(index)]; }};
}

template <typename T>
std::vector<T> first_given(const std::vector<T>& given, const std::vector<T>& otherwise) {
  return given.empty() ? otherwise : given;
}

bool has_choices(const EvalTask& task) {
  for (int i = 0; task.name.length == 0 && i < task.count; ++i) {
    if (task.example(i).metric == Metric::choice) return true;
  }
  return false;
}

bool is_preset(const std::string& method) {
  const std::vector<std::string> names = preset_names();
  return std::find(names.begin(), names.end(), method) != names.end();
}

/// Likelihood takes one pass of full attention.
void check_methods(const EvalSettings& a, const EvalPlan& plan, const ModelFiles& files) {
  for (const std::string& method : plan.methods) {
    const auto [name, rules] = split_rules(method);
    with_rules({}, rules);
    if (!is_preset(name)) create_method(name, {files.config(), 0});
  }
  const bool only_full = plan.methods == std::vector<std::string>{"full"};
  for (const EvalTask& task : plan.tasks) {
    if ((only_full && !a.fidelity) || !has_choices(task)) continue;
    fail(
        "[eval] {}: multiple choice takes one pass of full attention, which says nothing about "
        "methods or fidelity to full attention",
        task.name.task);
  }
}

void check_names(const EvalPlan& plan) {
  for (const EvalTask& task : plan.tasks) {
    const auto same = [&](const EvalTask& other) { return other.name == task.name; };
    if (std::count_if(plan.tasks.begin(), plan.tasks.end(), same) > 1) {
      fail("[eval] there are two tasks '{}'; name each once, and files differently",
           task.name.task);
    }
  }
}

}  // namespace

int EvalPlan::generations() const {
  int examples = 0;
  for (const EvalTask& task : tasks) examples += task.count;
  return examples * static_cast<int>(methods.size());
}

int EvalPlan::longest() const {
  int longest = 0;
  for (const EvalTask& task : tasks) longest = std::max(longest, task.name.length);
  return longest;
}

EvalPlan plan_evaluation(const EvalSettings& a, const ModelFiles& files) {
  const Preset preset = a.generation.preset;
  Experiment chosen{
      .methods = {preset == Preset::exact ? "full" : std::string(preset_name(preset))}};
  if (a.experiment) chosen = experiment(*a.experiment);
  if (!a.files.empty()) chosen.tasks.clear();
  const std::vector<std::string> tasks = first_given(a.tasks, chosen.tasks);
  if (tasks.empty() && a.files.empty()) {
    fail("[eval] nothing to evaluate: found neither an experiment nor a task nor a file");
  }
  EvalPlan plan{.methods = first_given(a.methods, chosen.methods),
                .tokens_per_step = chosen.tokens_per_step};
  if (chosen.lengths.empty()) chosen.lengths = {kDefaultLength};
  for (const int length : first_given(a.lengths, chosen.lengths)) {
    for (const std::string& name : tasks) plan.tasks.push_back(generated(a, files, name, length));
  }
  for (const std::string& file : a.files) plan.tasks.push_back(from_file(a, file));
  check_names(plan);
  check_methods(a, plan, files);
  return plan;
}

std::vector<TokenId> eval_prompt(const EvalSettings& a, const ModelFiles& files,
                                 const Example& example) {
  return encode_messages(files, a.prompt, example.messages);
}

Request eval_request(const EvalSettings& a, const EvalPlan& plan, const ModelFiles& files,
                     const Example& example, const std::string& method) {
  const auto [name, rules] = split_rules(method);
  RequestOptions generation = with_rules(a.generation, rules);
  if (is_preset(name)) {
    generation.preset = parse_preset(name);
  } else {
    generation.method = name;
    const bool said =
        generation.steps || generation.tokens_per_step || generation.threshold || generation.factor;
    if (!said && generation.preset == Preset::exact)
      generation.tokens_per_step = plan.tokens_per_step;
  }
  if (!generation.gen_length) generation.gen_length = example.gen_length;
  return build_request(generation, files, eval_prompt(a, files, example));
}

}  // namespace unmask
