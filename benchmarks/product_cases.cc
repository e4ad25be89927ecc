#include "product_cases.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <random>

#include "bench/ceilings.h"
#include "bench/kernel_cases.h"
#include "bench/timing.h"
#include "kernels/cpu/variants.h"
#include "kernels/create_backend.h"

namespace unmask::benchmarks {
namespace {

std::unique_ptr<cpu::Products> create(const Kind& kind, ThreadPool& pool) {
  return kind.create(cpu::select_variant(CpuOptions{}.kernels).table(), pool);
}

struct Shape {
  int in;
  int out;
};

/// A matrix in blocks that are all alike: no scale of them is subnormal, which would be slow.
struct FileBlocks {
  FileBlocks(BlockFormat format, const Shape& shape)
      : bytes(block_bytes(format, static_cast<size_t>(shape.in)) * static_cast<size_t>(shape.out),
              std::byte{0x2b}),
        matrix{.data = bytes.data(), .out = shape.out, .in = shape.in, .blocks = format} {}
  FileBlocks(const FileBlocks&) = delete;
  FileBlocks& operator=(const FileBlocks&) = delete;

  std::vector<std::byte> bytes;
  HostMatrix matrix;
};

/// The products of one kind, and weights for them.
struct Weights {
  Weights(const Kind& kind, const Shape& shape) : products(create(kind, pool)) {
    if (products == nullptr) return;
    std::optional<FileBlocks> file;
    if (kind.blocks) file.emplace(*kind.blocks, shape);
    const auto pack = [&](const HostMatrix& w) { return products->pack(file ? file->matrix : w); };
    copies.emplace(pack, shape.in, shape.out);
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

/// The bfloat16 that checkpoints have.
struct FileNumbers {
  explicit FileNumbers(const Shape& shape)
      : numbers(static_cast<size_t>(shape.in) * static_cast<size_t>(shape.out)),
        matrix{.data = numbers.data(), .dtype = DType::bf16, .out = shape.out, .in = shape.in} {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.02F);
    for (uint16_t& number : numbers) number = f32_to_bf16(normal(random));
  }
  FileNumbers(const FileNumbers&) = delete;
  FileNumbers& operator=(const FileNumbers&) = delete;

  std::vector<uint16_t> numbers;
  HostMatrix matrix;
};

template <typename File>
void measure_packing(benchmark::State& state, const Kind& kind, const Shape& shape,
                     const File& file) {
  ThreadPool pool(1);
  const auto products = create(kind, pool);
  if (products == nullptr) {
    state.SkipWithError("this processor has no such product");
    return;
  }
  std::vector<double> times;
  for ([[maybe_unused]] auto _ : state) {
    const double start = thread_seconds();
    products->pack(file.matrix);
    times.push_back(thread_seconds() - start);
    state.SetIterationTime(times.back());
  }
  const double weights = 1.0 * shape.in * shape.out;
  state.counters["Gweights/s"] = weights / median(times) * 1e-9;
  if (!kind.blocks) return;
  const auto bytes = static_cast<double>(block_bytes(*kind.blocks, static_cast<size_t>(weights)));
  state.counters["file_GB/s"] = bytes / median(times) * 1e-9;
}

void register_products(const Kind& kind, const Shape& shape) {
  // One set of weights at a time: all together would not fit into memory.
  static std::unique_ptr<Weights> weights;
  static std::string made_for;
  const std::string name = fmt::format("{}/{}x{}", kind.name, shape.in, shape.out);
  const auto run = [kind, shape, name](benchmark::State& state) {
    if (made_for != name) {
      weights.reset();
      weights = std::make_unique<Weights>(kind, shape);
      made_for = name;
    }
    measure(state, kind, shape, *weights);
  };
  auto* cases = benchmark::RegisterBenchmark(name.c_str(), run);
  for (const int rows : {1, 4, 8, 16, 32, 64, 256, 1024}) cases->Arg(rows);
  cases->UseManualTime()->MinTime(0.4)->Unit(benchmark::kMillisecond);
}

void register_all(const std::vector<Kind>& kinds) {
  static constexpr Shape kShapes[] = {{4096, 4096}, {4096, 12288}, {12288, 4096}, {512, 512}};
  for (const Kind& kind : kinds) {
    for (const Shape& shape : kShapes) register_products(kind, shape);
    const auto run = [kind](benchmark::State& state) {
      if (kind.blocks) {
        measure_packing(state, kind, kShapes[0], FileBlocks(*kind.blocks, kShapes[0]));
      } else {
        measure_packing(state, kind, kShapes[0], FileNumbers(kShapes[0]));
      }
    };
    benchmark::RegisterBenchmark(("pack/" + kind.name).c_str(), run)
        ->UseManualTime()
        ->MinTime(0.4)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int run_products(int argc, char** argv, const std::vector<Kind>& kinds) {
  register_all(kinds);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace unmask::benchmarks
