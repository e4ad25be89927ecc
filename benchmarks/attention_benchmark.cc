// Attention of the CPU backend on one thread, measured against what the processor multiplies at
// best in the same minute. Of a cached case only the keys and values of its queries are new, and
// the ratio says what packing all of them in each call would cost. `--f32` takes the float32
// kernel; other options are Google Benchmark's.
//
// Counters: GF/s; peak, the share of the measured peak; ratio, the time over that of a plain dense
// pass of the same shape (times the density where blocks are left out), taken in turns with it.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cmath>
#include <random>
#include <string_view>

#include "core/cpu_info.h"
#include "kernels/create_backend.h"
#include "peak.h"

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
    const double begin = peak::cpu_seconds();
    backend_.attention(std::span(&task, 1), heads_);
    return peak::cpu_seconds() - begin;
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

void run(benchmark::State& state, const Case& c, DType weights) {
  const auto backend = create_cpu_backend({.threads = 1, .weights = weights});
  Problem problem(*backend, c);
  const bool is_cached = c.queries < c.slots;
  const bool is_plain = c.density == 0 && c.scale == 0 && !is_cached;
  const double share = c.density > 0 ? problem.density() : 1;
  // touches the memory
  if (is_cached) {
    problem.cached();
  } else {
    problem.plain();
  }
  std::vector<double> shares_of_peak;
  std::vector<double> ratios;
  std::vector<double> speeds;
  for (auto _ : state) {
    const double plain = is_plain ? 0 : problem.plain();
    const double seconds = c.density > 0 ? problem.sparse()
                           : c.scale > 0 ? problem.measured()
                           : is_cached   ? problem.cached()
                                         : problem.plain();
    const double peak = peak::operations_per_second(weights != DType::f32);
    const double speed = problem.operations() * share / seconds;
    state.SetIterationTime(seconds);
    speeds.push_back(speed);
    shares_of_peak.push_back(speed / peak);
    ratios.push_back(is_plain ? 1 : seconds / (plain * share));
  }
  state.counters["GF/s"] = median(speeds) * 1e-9;
  state.counters["peak"] = median(shares_of_peak);
  if (!is_plain) state.counters["ratio"] = median(ratios);
}

void add(const std::string& name, const Case& c, DType weights) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { run(s, c, weights); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(c.slots > 8192 ? 5 : 11);
}

void add_all(DType weights) {
  for (const int dim : {128, 64}) {
    const std::string d = fmt::format("/d{}", dim);
    for (const int n : {1024, 4096, 16384}) {
      add(fmt::format("dense{}/{}", d, n), {dim, n > 4096 ? 1 : 4, n, n}, weights);
    }
    add(fmt::format("cached{}/32x4096", d), {dim, 32, 32, 4096}, weights);
    for (const int n : {4096, 16384}) {
      for (const int block : {32, 128}) {
        for (const double density : {0.1, 0.3, 0.5}) {
          add(fmt::format("sparse{}/{}/block{}/{}", d, n, block, density),
              {dim, n > 4096 ? 1 : 4, n, n, block, density}, weights);
        }
      }
    }
    for (const int block : {32, 128}) {
      for (const float scale : {1.0F, 2.0F}) {
        add(fmt::format("importance{}/4096/block{}/scale{}", d, block, scale),
            {dim, 2, 4096, 4096, block, 0, scale}, weights);
      }
    }
  }
}

}  // namespace
}  // namespace unmask

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const bool f32 = argc > 1 && std::string_view(argv[1]) == "--f32";
  const unmask::IsaLevel needed = f32 ? unmask::IsaLevel::avx512 : unmask::IsaLevel::avx512_bf16;
  if (unmask::select_isa() < needed) {
    fmt::print(stderr, "attention_benchmark: this processor lacks {}{}\n", unmask::isa_name(needed),
               f32 ? "" : "; --f32 needs less");
    return 1;
  }
  unmask::add_all(f32 ? unmask::DType::f32 : unmask::DType::bf16);
  benchmark::RunSpecifiedBenchmarks();
}
