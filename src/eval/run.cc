#include "eval/run.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/error.h"
#include "core/stop.h"
#include "eval/identity.h"
#include "eval/likelihood.h"
#include "eval/metric.h"
#include "session/answer.h"

namespace unmask {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Estimates what is left from the seconds that each method took for a position so far.
class TimeLeft {
 public:
  void plan(const RecordKey& job) { rates_[job.method].left += size_of(job); }
  void done(const RecordKey& job, double seconds) {
    Rate& rate = rates_[job.method];
    rate.left -= size_of(job);
    rate.size += size_of(job);
    rate.seconds += seconds;
    size_ += size_of(job);
    seconds_ += seconds;
  }
  double seconds() const {
    double left = 0;
    for (const auto& [method, rate] : rates_) {
      const bool known = rate.size > 0;
      left += rate.left * (known ? rate.seconds / rate.size : seconds_ / std::max(1.0, size_));
    }
    return left;
  }

 private:
  struct Rate {
    double left = 0, size = 0, seconds = 0;
  };
  /// Examples of files have no length beforehand; they count alike.
  static double size_of(const RecordKey& job) { return std::max(1, job.length); }

  std::map<std::string, Rate> rates_;
  double size_ = 0, seconds_ = 0;
};

/// The work of one example after the other.
class Worker {
 public:
  Worker(const EvalRun& run, Model& model, ResultStore& store, const EvalCallback& on_progress)
      : run_(run), model_(model), store_(store), on_progress_(on_progress) {}

  bool run();

 private:
  struct Job {
    const EvalTask* task;
    RecordKey key;
  };

  std::vector<Job> jobs() const;
  /// Whether the store has its result. Throws Error where that is of another example.
  bool is_known(const Job& job) const;
  /// Tells how far it is, `own_seconds` into the example. False: stop.
  bool tell(const RecordKey& key, double own_seconds);
  Record answer(const Job& job, const Example& example);
  /// Throws Stopped when it was cancelled.
  Result generate_whole(const Request& request, const StepCallback& on_step);
  Record generate_answer(const Job& job, const Example& example);
  Record choose(const Job& job, const Example& example);
  Fidelity fidelity(const Job& job, const Example& example, const Request& request);

  const EvalRun& run_;
  Model& model_;
  ResultStore& store_;
  const EvalCallback& on_progress_;
  bool stopped_ = false;
  TimeLeft time_;
  int done_ = 0;
  int total_ = 0;
  std::optional<RecordKey> reference_key_;  // of the example below
  Result reference_;                        // its generation by full attention
};

std::vector<Worker::Job> Worker::jobs() const {
  std::vector<Job> jobs;
  for (const EvalTask& task : run_.plan.tasks) {
    for (int i = 0; i < task.count; ++i) {
      if (!run_.shard.has(i)) continue;
      for (const std::string& method : run_.plan.methods) {
        jobs.push_back({&task, {task.name.task, task.name.length, method, i}});
      }
    }
  }
  std::erase_if(jobs, [&](const Job& job) { return is_known(job); });
  return jobs;
}

bool Worker::is_known(const Job& job) const {
  const Record* known = store_.find(job.key);
  if (known == nullptr) return false;
  // Examples that are generated follow from the settings, those of a file from nothing else.
  const bool from_file = job.key.length == 0;
  if (from_file && known->example != example_fingerprint(job.task->example(job.key.index))) {
    fail(ErrorCode::results_exist,
         "[eval] the results of '{}' are of another file of that name: example {} differs",
         printable(job.key.task), job.key.index);
  }
  return true;
}

bool Worker::tell(const RecordKey& key, double own_seconds) {
  EvalProgress progress{.done = done_, .total = total_, .at = key};
  if (done_ > 0) progress.seconds_left = std::max(0.0, time_.seconds() - own_seconds);
  stopped_ = stopped_ || !on_progress_(progress);
  return !stopped_;
}

bool Worker::run() {
  const std::vector<Job> all = jobs();
  total_ = static_cast<int>(all.size());
  for (const Job& job : all) time_.plan(job.key);
  std::optional<Example> example;
  const Job* last = nullptr;
  for (const Job& job : all) {
    const bool same = last != nullptr && last->task == job.task && last->key.index == job.key.index;
    if (!same) example = job.task->example(job.key.index);
    last = &job;
    if (!tell(job.key, 0)) return false;
    const auto start = Clock::now();
    Record record;
    try {
      record = answer(job, *example);
      record.example = example_fingerprint(*example);
    } catch (const Stopped&) {
      stopped_ = true;
    }
    if (stopped_) return false;
    time_.done(job.key, since(start));
    store_.add(std::move(record));
    ++done_;
  }
  return true;
}

Record Worker::answer(const Job& job, const Example& example) {
  return example.metric == Metric::choice ? choose(job, example) : generate_answer(job, example);
}

Result Worker::generate_whole(const Request& request, const StepCallback& on_step) {
  Result result =
      std::move(generate(model_.transformer(), {&request, 1}, on_step, run_.engine).front());
  if (result.cancelled) throw Stopped{};
  return result;
}

Record Worker::generate_answer(const Job& job, const Example& example) {
  const Request request =
      eval_request(run_.settings, run_.plan, model_.files(), example, job.key.method);
  const auto on_step = [&](const StepEvent& event) { return tell(job.key, event.seconds); };
  const Result result = generate_whole(request, on_step);
  Record record{.key = job.key,
                .answer = answer_text(model_.files().tokenizer(), result),
                .canvas = static_cast<int>(request.tokens.size()),
                .answer_tokens = answer_tokens(request, result, model_.config().mask_id),
                .steps = result.steps,
                .forward_passes = result.forward_passes,
                .rows = result.rows,
                .seconds = result.seconds};
  if (example.metric != Metric::none) record.score = score_answer(example, record.answer);
  if (run_.settings.fidelity) {
    record.fidelity = fidelity(job, example, request);
  }
  return record;
}

Fidelity Worker::fidelity(const Job& job, const Example& example, const Request& request) {
  const auto on_step = [&](const StepEvent& event) { return tell(job.key, event.seconds); };
  RecordKey key = job.key;
  key.method = "full";
  if (reference_key_ != key) {
    const Request full =
        eval_request(run_.settings, run_.plan, model_.files(), example, key.method);
    reference_ = generate_whole(full, on_step);
    reference_key_ = key;
  }
  return measure_fidelity(model_.transformer(), request, reference_, on_step);
}

Record Worker::choose(const Job& job, const Example& example) {
  const std::vector<TokenId> prompt = eval_prompt(run_.settings, model_.files(), example);
  const LikelihoodOptions options{run_.settings.samples, run_.settings.generation.seed};
  Record record{.key = job.key};
  double best = 0;
  const auto start = Clock::now();
  for (const std::string& choice : example.choices) {
    const std::vector<TokenId> answer = encode_answer(model_.files(), run_.settings.prompt, choice);
    const auto on_progress = [&](int, int) { return tell(job.key, since(start)); };
    const Likelihood found =
        answer_log_likelihood(model_.transformer(), prompt, answer, options, on_progress);
    if (stopped_) return record;
    if (record.answer.empty() || found.log_likelihood > best) {
      best = found.log_likelihood;
      record.answer = choice;
    }
    const auto canvas = static_cast<int>(prompt.size() + answer.size());
    record.canvas = std::max(record.canvas, canvas);
    record.forward_passes += found.samples;
    record.rows += int64_t{found.samples} * canvas;
  }
  record.seconds = since(start);
  record.score = record.answer == example.references[0] ? 1 : 0;
  return record;
}

Cost planned_cost(const Explanation& plan) {
  Cost cost{.operations = plan.total.product_operations + plan.total.attention_operations,
            .peak_bytes = static_cast<double>(plan.peak_bytes())};
  double seen = 0;
  int passes = 0;
  for (const PlannedStep& step : plan.steps) {
    if (step.rows == 0) continue;
    seen += step.keys_per_query() / step.canvas;
    ++passes;
  }
  if (passes > 0) cost.density = seen / passes;
  return cost;
}

Cost mean_cost(std::span<const Cost> costs) {
  Cost mean{.density = 0};
  const auto n = static_cast<double>(costs.size());
  for (const Cost& cost : costs) {
    mean.density += cost.density / n;
    mean.operations += cost.operations / n;
    mean.peak_bytes = std::max(mean.peak_bytes, cost.peak_bytes);
  }
  return mean;
}

}  // namespace

bool run_evaluation(const EvalRun& run, Model& model, ResultStore& store,
                    const EvalCallback& on_progress) {
  return Worker(run, model, store, on_progress).run();
}

std::vector<Record> records_in_order(const EvalPlan& plan, const ResultStore& store) {
  std::map<RecordKey, int> order;
  for (const EvalTask& task : plan.tasks) {
    for (int i = 0; i < task.count; ++i) {
      for (const std::string& method : plan.methods) {
        order.emplace(RecordKey{task.name.task, task.name.length, method, i},
                      static_cast<int>(order.size()));
      }
    }
  }
  const auto place = [&](const Record& record) {
    const auto found = order.find(record.key);
    return found == order.end() ? static_cast<int>(order.size()) : found->second;
  };
  std::vector<Record> records(store.records().begin(), store.records().end());
  std::ranges::stable_sort(records, {}, place);
  return records;
}

void add_costs(const EvalRun& run, const Model& model, Summary& summary) {
  const Costs costs = model.costs();
  for (MethodSummary& method : summary.methods) {
    const auto& planned = run.plan.methods;
    if (std::count(planned.begin(), planned.end(), method.method) == 0) continue;
    std::vector<Cost> of_tasks;
    for (const EvalTask& task : run.plan.tasks) {
      const Example example = task.example(0);
      if (example.metric == Metric::choice) continue;
      const Request request =
          eval_request(run.settings, run.plan, model.files(), example, method.method);
      of_tasks.push_back(planned_cost(costs.explain(request)));
    }
    if (!of_tasks.empty()) method.cost = mean_cost(of_tasks);
  }
}

}  // namespace unmask
