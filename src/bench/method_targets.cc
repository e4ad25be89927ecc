// Targets of whole steps and generations.
#include <algorithm>
#include <fmt/format.h>

#include "bench/generation.h"
#include "bench/targets.h"

namespace unmask {

namespace {

// LLaDA-8B's layers and head; fewer layers, since every layer costs the same.
constexpr const char* kFourLayers = "llada-8b,layers=4";
// With so few layers the head would count for too much.
constexpr const char* kTwoLayers = "llada-8b,layers=2,vocab=7904";
// Where attention is nearly all there is to a step.
constexpr const char* kLongContext =
    "llada-8b,layers=2,d=512,heads=4,kv_heads=4,ffn=512,vocab=1024";

Spread over(double numerator, const Spread& seconds) {
  return {numerator / seconds.median, numerator / seconds.most, numerator / seconds.least};
}

std::string limit_of(const StepKind& kind) { return fmt::format("limit {:.3g} s", kind.limit); }

/// A full step: how near the limit, and what is neither product nor attention.
void full_steps(const Ceilings& ceilings, const TargetSink& sink) {
  const BenchModel model(kFourLayers, WeightType::int8, ceilings.threads);
  // 4.6 of 3.7 s and 21 of 16.5 s: what a machine of 2,000 G int8 operations/s should reach.
  for (const auto& [context, wanted] : {std::pair{512, 0.80}, {2048, 0.785}}) {
    const GenerationFigures figures =
        measure_generation(model, {.context = context, .steps = 32, .most_steps = 5}, ceilings);
    const StepKind& kind = figures.kinds.front();
    const std::string what = fmt::format("full step, LLaDA-8B's layers, {} tokens, int8", context);
    sink({what, over(kind.limit, kind.seconds), wanted, false, limit_of(kind)});
    const double main = kind.times.of(Operation::products) + kind.times.of(Operation::attention);
    const double mean = kind.times.total();
    const double parts = mean / main;
    sink({what + ": step over its products and attention",
          {parts, parts, parts},
          1.05,
          true,
          fmt::format("{:.3g} s", main)});
  }
}

/// A block's step on kept keys and values; 1,024 of 2,048 tokens are kept.
void cached_step(const Ceilings& ceilings, const TargetSink& sink) {
  const BenchModel model(kFourLayers, WeightType::int8, ceilings.threads);
  const GenerationFigures figures = measure_generation(
      model, {.method = "sparse-dllm:keep=0.5", .context = 2048 + 32, .steps = 32}, ceilings);
  const auto kind = std::find_if(figures.kinds.begin(), figures.kinds.end(),
                                 [](const StepKind& k) { return k.rows == 32; });
  UNMASK_CHECK(kind != figures.kinds.end(), "a cached step");
  sink({"cached step of 32 rows, LLaDA-8B's layers, 1,024 kept, int8",
        over(kind->limit, kind->seconds), 0.60, false, limit_of(*kind)});
}

double operations_ratio(const GenerationFigures& full, const GenerationFigures& fast) {
  return full.operations / fast.operations;
}

void sparsed(const Ceilings& ceilings, const TargetSink& sink) {
  const BenchModel model(kLongContext, WeightType::bf16, ceilings.threads);
  BenchCase about{.context = 16384, .steps = 10, .most_steps = 3};
  const GenerationFigures full = measure_generation(model, about, ceilings);
  about.method = "sparsed:skip=0.2,select=0.3";
  about.most_steps = 0;
  const GenerationFigures sparse = measure_generation(model, about, ceilings);
  const double ideal = operations_ratio(full, sparse);
  const double ratio = full.seconds / sparse.seconds / ideal;
  sink({fmt::format("SparseD over its ideal: {:.2f}x of {:.2f}x, 16,384 tokens, 10 steps, bf16",
                    full.seconds / sparse.seconds, ideal),
        {ratio, ratio, ratio},
        0.92,
        false,
        "its operations"});
}

void sparse_dllm(const Ceilings& ceilings, const TargetSink& sink) {
  const BenchModel model(kTwoLayers, WeightType::int8, ceilings.threads);
  BenchCase about{.context = 4096, .gen_length = 256, .steps = 256, .most_steps = 3};
  const GenerationFigures full = measure_generation(model, about, ceilings);
  const auto measure = [&](const char* method, int most_steps) {
    about.method = method;
    about.most_steps = most_steps;
    const GenerationFigures fast = measure_generation(model, about, ceilings);
    const double speed = full.seconds / fast.seconds;
    const double ideal = operations_ratio(full, fast);
    const double ratio = speed / ideal;
    // 12.5 of the 16 that two refreshes in 32 steps allow.
    sink({fmt::format("{} over its ideal: {:.1f}x of {:.1f}x, LLaDA-8B's layers, 4,096 tokens, "
                      "8 blocks of 32 steps, int8",
                      method, speed, ideal),
          {ratio, ratio, ratio},
          0.78,
          false,
          "its operations"});
  };
  measure("sparse-dllm:keep=0.5", 32);
  measure("sparse-dllm:keep=0.5,delay=0", 32);
  // Its refreshes turn sparse after a fifth of the steps: the third block shows how they are then.
  measure("sparse-dllm:keep=0.5+sparsed", 100);
}

}  // namespace

void measure_method_targets(int threads, const TargetSink& sink) {
  const Ceilings ceilings = measure_ceilings(threads);
  full_steps(ceilings, sink);
  cached_step(ceilings, sink);
  sparsed(ceilings, sink);
  sparse_dllm(ceilings, sink);
}

}  // namespace unmask
