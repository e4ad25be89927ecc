// Attention of the CPU backend on one thread, measured against what the processor multiplies at
// best in the same minute. Arguments: bf16 or float32, head size, queries and slots (n: both); the
// size of blocks; the share of them, or of single keys, kept; the scale of measured importance over
// attention's.
//
// Counters: GF/s; peak, the share of the measured peak; ratio, the time over that of a plain dense
// pass of the same shape (times the density where blocks are left out), taken in turns with it. Of
// a cached case only the keys and values of its queries are new; its ratio compares with packing
// all.
#include <benchmark/benchmark.h>

#include "bench/ceilings.h"
#include "bench/kernel_cases.h"
#include "bench/timing.h"
#include "kernels/create_backend.h"

namespace unmask {
namespace {

/// The first two arguments are the number format (bf16: 1) and the head size.
void run(benchmark::State& state, const AttentionCase& c) {
  const bool narrow = state.range(0) == 1;
  if (narrow && !cpu_capabilities(CpuOptions{}.kernels).bf16_attention) {
    state.SkipWithError("the kernels at hand have no attention in bfloat16");
    return;
  }
  const auto backend =
      create_cpu_backend({.threads = 1, .weights = narrow ? WeightType::bf16 : WeightType::f32});
  AttentionProblem problem(*backend, c);
  const bool is_plain = c.density == 0 && c.scale == 0 && !c.is_cached();
  const double share = problem.density();
  problem.pass();  // touches the memory
  std::vector<double> speeds;
  std::vector<double> shares_of_peak;
  std::vector<double> ratios;
  while (state.KeepRunning()) {
    const double plain = is_plain ? 1 : problem.plain();
    const double seconds = problem.pass();
    const double speed = problem.operations() * share / seconds;
    state.SetIterationTime(seconds);
    speeds.push_back(speed);
    shares_of_peak.push_back(speed / (narrow ? bf16_ceiling(1) : f32_ceiling(1)));
    ratios.push_back(seconds / (plain * share));
  }
  state.counters["GF/s"] = median(speeds) * 1e-9;
  state.counters["peak"] = median(shares_of_peak);
  if (!is_plain) state.counters["ratio"] = median(ratios);
}

int argument(const benchmark::State& state, size_t i) { return static_cast<int>(state.range(i)); }

/// Heads enough for some 100 ms.
int heads(int n) { return n > 4096 ? 1 : 4; }

void dense(benchmark::State& state) {
  const int n = argument(state, 2);
  run(state, {argument(state, 1), heads(n), n, n});
}

void cached(benchmark::State& state) {
  run(state, {argument(state, 1), 32, argument(state, 2), argument(state, 3)});
}

void sparse(benchmark::State& state) {
  const int n = argument(state, 2);
  run(state, {argument(state, 1), heads(n), n, n, argument(state, 3),
              static_cast<double>(argument(state, 4)) / 100});
}

void columns(benchmark::State& state) {
  const int n = argument(state, 2);
  run(state, {.head_dim = argument(state, 1),
              .n_heads = heads(n),
              .queries = n,
              .slots = n,
              .block = argument(state, 3),
              .density = static_cast<double>(argument(state, 4)) / 100,
              .columns = true});
}

void importance(benchmark::State& state) {
  const int n = argument(state, 2);
  run(state, {argument(state, 1), heads(n), n, n, argument(state, 3), 0,
              static_cast<float>(argument(state, 4))});
}

constexpr int kPasses = 9;

BENCHMARK(dense)
    ->ArgNames({"bf16", "d", "n"})
    ->ArgsProduct({{1, 0}, {128, 64}, {1024, 4096, 16384}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(cached)
    ->ArgNames({"bf16", "d", "queries", "slots"})
    ->ArgsProduct({{1, 0}, {128, 64}, {32}, {4096}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(sparse)
    ->ArgNames({"bf16", "d", "n", "block", "percent"})
    ->ArgsProduct({{1, 0}, {128, 64}, {4096, 16384}, {32, 128}, {10, 30, 50}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(columns)
    ->ArgNames({"bf16", "d", "n", "queries", "percent"})
    ->ArgsProduct({{1, 0}, {128}, {1024, 2048, 4096}, {128}, {10, 30, 50, 100}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(importance)
    ->ArgNames({"bf16", "d", "n", "block", "scale"})
    ->ArgsProduct({{1, 0}, {128, 64}, {4096}, {32, 128}, {1, 2}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace unmask

BENCHMARK_MAIN();
