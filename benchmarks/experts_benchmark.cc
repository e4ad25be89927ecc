// A feed-forward of experts on one thread, against the larger of two limits measured beside it: the
// distinct experts' bytes at the rate of reading memory, and the operations at the peak of the
// instruction that multiplies them. Rows are random, so that they take different experts, as those
// of a trained model do and those of a random one do not. Arguments: rows.
//
// Counters: distinct, the experts that were read; GB/s and GOP/s; of_limit, the limit over the
// time.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <random>
#include <set>

#include "bench/ceilings.h"
#include "bench/kernel_cases.h"
#include "bench/timing.h"
#include "kernels/create_backend.h"

namespace unmask {
namespace {

struct Shape {
  const char* name;
  int dim, width, experts;
  Routing routing;
  bool shared;
};

constexpr Shape kShapes[] = {
    {"llada2-mini",
     2048,
     512,
     256,
     {.top_k = 8,
      .sigmoid = true,
      .normalized = true,
      .scale = 2.5F,
      .groups = 8,
      .groups_kept = 4},
     true},
    {"llada-moe-7b", 2048, 1024, 64, {.top_k = 8}, false},
};

/// Uniform numbers from -1 to 1, others in each call.
Buffer random_rows(int rows, int cols) {
  static std::mt19937 random(2);
  std::uniform_real_distribution<float> value(-1, 1);
  Buffer buffer = allocate_host(dense_bytes(rows, cols, DType::f32));
  std::generate_n(buffer.view(rows, cols).f32(), int64_t{rows} * cols,
                  [&] { return value(random); });
  return buffer;
}

/// One layer's experts, larger than any cache.
class Layer {
 public:
  Layer(const Shape& shape, WeightType type)
      : shape_(shape),
        backend_(create_cpu_backend({.threads = 1, .weights = type})),
        router_(random_rows(shape.experts, shape.dim)) {
    // Large logits would make sigmoids equal, and ties fall to the first experts.
    float* const numbers_of_router = router_.view(shape.experts, shape.dim).f32();
    std::transform(numbers_of_router, numbers_of_router + int64_t{shape.experts} * shape.dim,
                   numbers_of_router, [](float v) { return v / 16; });
    const Buffer numbers = random_rows(shape.width, shape.dim);
    const HostMatrix in{numbers.data(), DType::f32, shape.width, shape.dim, shape.dim};
    const HostMatrix back{numbers.data(), DType::f32, shape.dim, shape.width, shape.width};
    for (int e = 0; e < shape.experts + (shape.shared ? 1 : 0); ++e) {
      for (const HostMatrix& matrix : {in, in, back}) packed_.push_back(backend_->pack(matrix));
    }
    for (size_t i = 0; i < packed_.size(); i += 3) {
      maps_.push_back({packed_[i].get(), packed_[i + 1].get(), packed_[i + 2].get()});
    }
    if (shape.shared) {
      shared_ = maps_.back();
      maps_.pop_back();
    }
  }

  Experts experts() const {
    return {.router = router_.view(shape_.experts, shape_.dim),
            .maps = maps_,
            .shared = shape_.shared ? &shared_ : nullptr,
            .routing = shape_.routing};
  }
  Backend& backend() { return *backend_; }
  /// Experts that the rows of x take, the shared one too.
  int distinct(Tensor x) const {
    std::set<int> taken;
    const Tensor router = router_.view(shape_.experts, shape_.dim);
    for (int r = 0; r < x.rows; ++r) {
      std::vector<float> logits(static_cast<size_t>(shape_.experts));
      for (int e = 0; e < shape_.experts; ++e) {
        for (int c = 0; c < x.cols; ++c) {
          logits[static_cast<size_t>(e)] += x.f32(r)[c] * router.f32(e)[c];
        }
      }
      for (const RoutedExpert& e : choose_experts(logits, {}, shape_.routing)) {
        taken.insert(e.expert);
      }
    }
    return static_cast<int>(taken.size()) + (shape_.shared ? 1 : 0);
  }
  double expert_bytes() const {
    return static_cast<double>(maps_[0].gate->bytes() + maps_[0].up->bytes() +
                               maps_[0].down->bytes());
  }

 private:
  const Shape& shape_;
  std::unique_ptr<Backend> backend_;
  Buffer router_;
  std::vector<std::unique_ptr<PackedMatrix>> packed_;
  std::vector<GatedMaps> maps_;
  GatedMaps shared_{};
};

void measure(benchmark::State& state, const Shape& shape, Layer& layer, double (*peak)(int)) {
  const auto rows = static_cast<int>(state.range(0));
  const Buffer out = random_rows(rows, shape.dim);
  std::vector<double> times;
  std::vector<double> shares;
  double bytes = 0;
  const double taken = shape.routing.top_k + (shape.shared ? 1 : 0);
  const double operations = 6.0 * rows * taken * shape.dim * shape.width;
  for ([[maybe_unused]] auto _ : state) {
    const Buffer x = random_rows(rows, shape.dim);  // what was read is in no cache any more
    const int distinct = layer.distinct(x.view(rows, shape.dim));
    bytes = distinct * layer.expert_bytes();
    const double limit = std::max(bytes / read_ceiling(1), operations / peak(1));
    const double start = thread_seconds();
    layer.backend().experts(x.view(rows, shape.dim), layer.experts(), out.view(rows, shape.dim),
                            Into::store);
    times.push_back(thread_seconds() - start);
    shares.push_back(limit / times.back());
    state.SetIterationTime(times.back());
    state.counters["distinct"] = distinct;
  }
  state.counters["GB/s"] = bytes / median(times) * 1e-9;
  state.counters["GOP/s"] = operations / median(times) * 1e-9;
  state.counters["of_limit"] = median(shares);
}

void add_all(WeightType type, const char* name, double (*peak)(int)) {
  for (const Shape& shape : kShapes) {
    const auto layer = std::make_shared<std::unique_ptr<Layer>>();  // packed when it is asked for
    benchmark::RegisterBenchmark(fmt::format("{}/{}", shape.name, name).c_str(),
                                 [=, &shape](benchmark::State& state) {
                                   if (!*layer) *layer = std::make_unique<Layer>(shape, type);
                                   measure(state, shape, **layer, peak);
                                 })
        ->Arg(1)
        ->Arg(4)
        ->Arg(8)
        ->Arg(16)
        ->Arg(32)
        ->Arg(128)
        ->Iterations(9)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace unmask

int main(int argc, char** argv) {
  using unmask::WeightType;
  unmask::add_all(WeightType::int4, "int4", unmask::int4_ceiling);
  unmask::add_all(WeightType::int8, "int8", unmask::int8_ceiling);
  unmask::add_all(WeightType::bf16, "bf16", unmask::bf16_ceiling);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
