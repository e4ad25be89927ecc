#include "bench/generation.h"

#include <algorithm>

namespace unmask {

namespace {

/// Arbitrary ids, then masks.
Request random_request(const ModelConfig& config, const BenchCase& about) {
  if (about.gen_length >= about.context) {
    fail("[bench] context: found {} tokens, expected more than the {} to be generated",
         about.context, about.gen_length);
  }
  std::vector<TokenId> prompt;
  for (int i = 0; i < about.context - about.gen_length; ++i) {
    const TokenId id = (i * 7919 + 13) % config.vocab_size;
    prompt.push_back(id == config.mask_id ? 0 : id);
  }
  Request request = append_masks(std::move(prompt), about.gen_length, config.mask_id);
  request.block_length = about.block_length;
  request.steps = about.steps;
  request.method = about.method;
  check_request(request, config);
  return request;
}

struct MeasuredStep {
  double seconds;
  OperationTimes times;
};

/// Measured steps of a generation that begins anew, at most as many as asked for.
std::vector<MeasuredStep> run_steps(const BenchModel& model, const Request& request, int most_steps,
                                    const BenchProgress& progress) {
  Transformer transformer(model.model().config(), model.model().weights(), model.meter());
  std::vector<MeasuredStep> steps;
  double before = 0;
  model.meter().take();
  generate(transformer, std::span(&request, 1), [&](const StepEvent& event) {
    steps.push_back({event.seconds - before, model.meter().take()});
    before = event.seconds;
    const int total = most_steps > 0 ? std::min(most_steps, event.total_steps) : event.total_steps;
    if (progress) progress(event.step + 1, total);
    return event.step + 1 < total;
  });
  return steps;
}

struct Sample {
  double seconds;
  double limit;
  OperationTimes times;
};

bool measures(const PlannedStep& step) { return step.work.measurements > 0; }

bool is_sparse(const PlannedStep& step) { return step.work.pairs < step.work.all_pairs; }

bool alike(const PlannedStep& a, const PlannedStep& b) {
  return a.rows == b.rows && measures(a) == measures(b) && is_sparse(a) == is_sparse(b);
}

StepKind summarize(const PlannedStep& first, int planned, const std::vector<Sample>& samples) {
  StepKind kind{.rows = first.rows,
                .measures = measures(first),
                .sparse = is_sparse(first),
                .planned = planned};
  std::vector<double> seconds;
  const auto n = static_cast<double>(samples.size());
  for (const Sample& sample : samples) {
    seconds.push_back(sample.seconds);
    kind.limit += sample.limit / n;
    for (size_t i = 0; i < kind.times.seconds.size(); ++i) {
      kind.times.seconds[i] += sample.times.seconds[i] / n;
    }
  }
  kind.seconds = spread_of(seconds);
  return kind;
}

/// Indices of steps of the same kind, in the order of their first.
std::vector<std::vector<size_t>> group_alike(const std::vector<PlannedStep>& steps) {
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
      return alike(steps[group.front()], steps[i]);
    });
    if (same == groups.end()) {
      groups.push_back({i});
    } else {
      same->push_back(i);
    }
  }
  return groups;
}

}  // namespace

BenchModel::BenchModel(const std::string& shape, WeightType weights, int threads,
                       const LoadProgress& progress)
    : shape_(shape),
      weight_type_(weights),
      model_(parse_shape(shape),
             create_metered_backend(create_cpu_backend({.threads = threads, .weights = weights})),
             progress),
      meter_(dynamic_cast<MeteredBackend&>(model_.backend())) {}

Rates rates_at(const Ceilings& c, WeightType weights) {
  // Without an instruction of its own a type is widened to float32.
  const auto or_f32 = [&](double rate) { return rate > 0 ? rate : c.f32; };
  const double attention = weights == WeightType::f32 ? c.f32 : or_f32(c.bf16);
  const double products = weights == WeightType::int8   ? or_f32(c.int8)
                          : weights == WeightType::int4 ? or_f32(c.int4)
                                                        : attention;
  return {.products = products, .attention = attention, .read = c.read};
}

double limit_seconds(const WorkCount& work, WeightType weights, const Ceilings& c) {
  return roofline_seconds(work, rates_at(c, weights));
}

void check_bench_case(const ModelConfig& config, const BenchCase& about) {
  random_request(config, about);
}

GenerationFigures measure_generation(const BenchModel& model, const BenchCase& about,
                                     const Ceilings& ceilings, const BenchProgress& progress) {
  const Request request = random_request(model.model().config(), about);
  const WeightType type = model.weight_type();
  const Costs costs(model.model().config(), element_sizes(DeviceKind::cpu, type));
  const Explanation plan = costs.explain(request);
  Request warm_up = request;
  warm_up.method = "full";
  run_steps(model, warm_up, 1, {});
  std::vector<std::vector<MeasuredStep>> runs;
  runs.reserve(static_cast<size_t>(about.repeat));
  for (int i = 0; i < about.repeat; ++i) {
    runs.push_back(run_steps(model, request, about.most_steps, progress));
  }
  GenerationFigures figures{
      .about = about,
      .projected = runs.front().size() < plan.steps.size(),
      .operations = plan.total.product_operations + plan.total.attention_operations,
      .peak_bytes = model.meter().peak_bytes()};
  for (const std::vector<size_t>& steps : group_alike(plan.steps)) {
    std::vector<Sample> samples;
    double limit_of_planned = 0;
    for (const size_t i : steps) {
      const double limit = limit_seconds(plan.steps[i].work, type, ceilings);
      limit_of_planned += limit;
      for (const auto& run : runs) {
        if (i < run.size()) samples.push_back({run[i].seconds, limit, run[i].times});
      }
    }
    const PlannedStep& first = plan.steps[steps.front()];
    if (samples.empty()) {
      fail("[bench] step {} is like none of the {} measured; measure more", first.index,
           runs.front().size());
    }
    figures.kinds.push_back(summarize(first, static_cast<int>(steps.size()), samples));
    figures.limit += limit_of_planned;
    // Steps of one kind differ in the keys they see; their distance from the limit hardly does.
    const StepKind& kind = figures.kinds.back();
    figures.seconds += kind.seconds.median / kind.limit * limit_of_planned;
  }
  return figures;
}

}  // namespace unmask
