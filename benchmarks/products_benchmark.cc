// Matrix products next to the limits of one thread. For each type of weights, shape and number of
// rows: operations per second, and their ratio to the peak of the instruction that multiplies them
// ("of_peak"), or for one row the ratio of the weights' bytes per second to reading memory
// ("of_read"). Peaks are measured beside each case, times are medians of the thread's processor
// time, and the inputs' packing counts.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <functional>
#include <optional>

#include "bench/ceilings.h"
#include "bench/kernel_cases.h"
#include "bench/timing.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/variants.h"
#include "kernels/create_backend.h"

namespace unmask::benchmarks {
namespace {

struct Kind {
  const char* name;
  std::optional<WeightType> own;  // null: oneDNN's bfloat16
  double (*peak)(int threads);

  std::unique_ptr<cpu::Products> create(ThreadPool& pool) const {
    const cpu::KernelTable& table = cpu::select_variant(CpuOptions{}.kernels).table();
    return own ? cpu::create_packed_products(*own, table, pool)
               : cpu::create_onednn_products(DType::bf16, table, pool);
  }
};

struct Shape {
  int in;
  int out;
};

/// The products of one kind, and weights for them.
struct Weights {
  Weights(const Kind& kind, const Shape& shape) : products(kind.create(pool)) {
    if (products == nullptr) return;
    copies.emplace([&](const HostMatrix& w) { return products->pack(w); }, shape.in, shape.out);
  }

  ThreadPool pool{1};
  std::unique_ptr<cpu::Products> products;  // null: this processor has none
  std::optional<WeightCopies> copies;
};

void measure(benchmark::State& state, const Kind& kind, const Shape& shape, Weights& weights) {
  if (!weights.copies) {
    state.SkipWithError("this processor has no such product");
    return;
  }
  const auto rows = static_cast<int>(state.range(0));
  const Buffer x = random_matrix(rows, shape.in);
  const Buffer y = random_matrix(rows, shape.out);
  const auto multiply = [&] {
    const LinearMap map{&weights.copies->next(), y.view(rows, shape.out)};
    weights.products->multiply(x.view(rows, shape.in), std::span(&map, 1));
  };
  multiply();
  const double limit = rows == 1 ? read_ceiling(1) : kind.peak(1);
  std::vector<double> times;
  for ([[maybe_unused]] auto _ : state) {
    const double start = thread_seconds();
    multiply();
    times.push_back(thread_seconds() - start);
    state.SetIterationTime(times.back());
  }
  const double operations = 2.0 * rows * shape.in * shape.out;
  const double seconds = median(times);
  state.counters["GOP/s"] = operations / seconds * 1e-9;
  if (rows == 1) {
    const double again = std::max(limit, read_ceiling(1));
    state.counters["of_read"] =
        static_cast<double>(weights.copies->next().bytes()) / seconds / again;
  } else {
    state.counters["of_peak"] = operations / seconds / std::max(limit, kind.peak(1));
  }
}

void register_all() {
  static constexpr Kind kKinds[] = {{"bf16", WeightType::bf16, bf16_ceiling},
                                    {"onednn_bf16", std::nullopt, bf16_ceiling},
                                    {"int8", WeightType::int8, int8_ceiling},
                                    {"int4", WeightType::int4, int8_ceiling}};
  static constexpr Shape kShapes[] = {{4096, 4096}, {4096, 12288}, {12288, 4096}, {512, 512}};
  // One set of weights at a time: all together would not fit into memory.
  static std::unique_ptr<Weights> weights;
  static std::string made_for;
  for (const Kind& kind : kKinds) {
    for (const Shape& shape : kShapes) {
      const std::string name = fmt::format("{}/{}x{}", kind.name, shape.in, shape.out);
      const auto run = [&kind, &shape, name](benchmark::State& state) {
        if (made_for != name) {
          weights.reset();
          weights = std::make_unique<Weights>(kind, shape);
          made_for = name;
        }
        measure(state, kind, shape, *weights);
      };
      auto* cases = benchmark::RegisterBenchmark(name.c_str(), run);
      for (const int rows : {1, 32, 64, 256, 1024}) cases->Arg(rows);
      cases->UseManualTime()->MinTime(0.4)->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace unmask::benchmarks

int main(int argc, char** argv) {
  unmask::benchmarks::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
