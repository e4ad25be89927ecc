// Attention of the CPU backend on one thread, measured against what the processor multiplies at
// best in the same minute. Arguments: bf16 or float32, head size, queries and slots (n: both); the
// size of blocks; the share of them kept; the scale of measured importance over attention's.
//
// Counters: GF/s; peak, the share of the measured peak; ratio, the time over that of a plain dense
// pass of the same shape (times the density where blocks are left out), taken in turns with it. Of
// a cached case only the keys and values of its queries are new; its ratio compares with packing
// all.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cmath>
#include <random>

#include "bench/ceilings.h"
#include "core/cpu_info.h"
#include "kernels/create_backend.h"

namespace unmask {
namespace {

struct Case {
  int head_dim;
  int n_heads;
  int queries;
  int slots;
  int block = 0;       // of a pattern or of measured importance; 0: plain
  double density = 0;  // of the pattern; 0: none
  float scale = 0;     // of importance, over attention's; 0: none
};

/// Random operands, and the task that reads them.
class Problem {
 public:
  Problem(Backend& backend, const Case& c)
      : backend_(backend), heads_{c.n_heads, c.n_heads, c.head_dim} {
    const int width = c.n_heads * c.head_dim;
    task_ = {.q = fill(q_, c.queries, width),
             .kv = {fill(k_, c.slots, width), fill(v_, c.slots, width)},
             .out = fill(out_, c.queries, width)};
    for (int p = 0; p < c.queries; ++p) positions_.push_back(p);
    if (c.density > 0) draw_pattern(c);
    importance_.block_size = c.block;
    importance_.scale = c.scale / std::sqrt(static_cast<float>(c.head_dim));
    importance_.first_generation_block = c.block > 0 ? c.slots / c.block / 2 : 0;
  }

  /// CPU seconds of a pass.
  double plain() { return timed(task_); }
  double sparse() {
    AttentionTask task = task_;
    task.pattern = &pattern_;
    task.positions = positions_;
    return timed(task);
  }
  /// A step of a cache method: slots kept from the step before, those of the queries new.
  double cached() {
    AttentionTask task = task_;
    task.kv.packed = &packed_;
    packed_.forget(Rows(Range{task.kv.k.rows - task.q.rows, task.kv.k.rows}));
    return timed(task);
  }
  double measured() {
    AttentionTask task = task_;
    task.importance = &importance_;
    return timed(task);
  }
  double operations() const {
    return 4.0 * task_.q.rows * task_.kv.k.rows * heads_.n_heads * heads_.head_dim;
  }
  double density() const { return pattern_.density(); }

 private:
  Tensor fill(Buffer& buffer, int rows, int cols) {
    buffer =
        backend_.allocate(sizeof(float) * static_cast<size_t>(rows) * static_cast<size_t>(cols));
    const Tensor t = buffer.view(rows, cols);
    std::normal_distribution<float> normal;
    for (int r = 0; r < rows; ++r) std::generate_n(t.f32(r), cols, [&] { return normal(random_); });
    return t;
  }
  /// Blocks drawn for every head and block of queries.
  void draw_pattern(const Case& c) {
    const int n = (c.slots + c.block - 1) / c.block;
    pattern_ = BlockPattern(c.block, c.n_heads, n);
    std::vector<uint16_t> blocks(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) blocks[static_cast<size_t>(i)] = static_cast<uint16_t>(i);
    const auto kept = static_cast<size_t>(std::max(1L, std::lround(n * c.density)));
    for (int row = 0; row < c.n_heads * n; ++row) {
      std::shuffle(blocks.begin(), blocks.end(), random_);
      std::sort(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(kept));
      pattern_.append(std::span(blocks).first(kept));
    }
  }
  double timed(const AttentionTask& task) {
    const double begin = thread_seconds();
    backend_.attention(std::span(&task, 1), heads_);
    return thread_seconds() - begin;
  }

  Backend& backend_;
  HeadShape heads_;
  std::mt19937 random_{1};
  Buffer q_, k_, v_, out_;
  AttentionTask task_;
  PackedKv packed_;
  BlockPattern pattern_;
  BlockImportance importance_;
  std::vector<int> positions_;
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The first two arguments are the number format (bf16: 1) and the head size.
void run(benchmark::State& state, const Case& c) {
  const bool narrow = state.range(0) == 1;
  const IsaLevel needed = narrow ? IsaLevel::avx512_bf16 : IsaLevel::avx512;
  if (select_isa() < needed) {
    state.SkipWithError(fmt::format("this processor lacks {}", isa_name(needed)).c_str());
    return;
  }
  const auto backend =
      create_cpu_backend({.threads = 1, .weights = narrow ? WeightType::bf16 : WeightType::f32});
  Problem problem(*backend, c);
  const bool is_cached = c.queries < c.slots;
  const bool is_plain = c.density == 0 && c.scale == 0 && !is_cached;
  const double share = c.density > 0 ? problem.density() : 1;
  const auto pass = [&] {
    if (c.density > 0) return problem.sparse();
    if (c.scale > 0) return problem.measured();
    return is_cached ? problem.cached() : problem.plain();
  };
  pass();  // touches the memory
  std::vector<double> speeds;
  std::vector<double> shares_of_peak;
  std::vector<double> ratios;
  while (state.KeepRunning()) {
    const double plain = is_plain ? 1 : problem.plain();
    const double seconds = pass();
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
BENCHMARK(importance)
    ->ArgNames({"bf16", "d", "n", "block", "scale"})
    ->ArgsProduct({{1, 0}, {128, 64}, {4096}, {32, 128}, {1, 2}})
    ->Iterations(kPasses)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace unmask

BENCHMARK_MAIN();
