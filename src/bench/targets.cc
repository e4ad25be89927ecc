#include "bench/targets.h"

#include <algorithm>
#include <fmt/format.h>

#include "bench/ceilings.h"
#include "bench/kernel_cases.h"
#include "core/error.h"
#include "kernels/create_backend.h"

namespace unmask {

namespace {

constexpr int kPasses = 7;

std::string giga(const char* name, double per_second, const char* unit) {
  return fmt::format("{} {:.0f} G{}/s", name, per_second * 1e-9, unit);
}

/// `rate()` is asked a few times after once for warming up, between two readings of the ceiling, of
/// which the higher counts.
template <typename Rate, typename Ceiling>
std::pair<Spread, double> ratios(const Rate& rate, const Ceiling& ceiling) {
  rate();
  double limit = ceiling();
  std::vector<double> rates(kPasses);
  std::generate(rates.begin(), rates.end(), rate);
  limit = std::max(limit, ceiling());
  for (double& r : rates) r /= limit;
  return {spread_of(rates), limit};
}

/// Heads enough for some 100 ms.
int heads(int n) { return n > 4096 ? 1 : 4; }

class KernelTargets {
 public:
  explicit KernelTargets(const TargetSink& sink) : sink_(sink) {}

  void dense_attention() {
    for (const int dim : {128, 64}) {
      for (const int n : {1024, 4096, 16384}) {
        of_peak(fmt::format("bf16 attention, head_dim {}, {} tokens", dim, n),
                {dim, heads(n), n, n}, dim == 128 ? 0.75 : 0.68);
      }
      of_peak(fmt::format("cached step: 32 queries, 4096 keys, head_dim {}", dim),
              {dim, 32, 32, 4096}, 0.65);
    }
  }

  void sparse_attention() {
    for (const int n : {16384, 4096}) {
      for (const int block : {32, 128}) {
        for (const double density : {0.1, 0.3}) {
          AttentionCase about{128, heads(n), n, n, block, density};
          over_plain(fmt::format("block-sparse over density x dense: {} tokens, blocks of {}, "
                                 "density {}",
                                 n, block, density),
                     about,
                     n == 4096 && density < 0.2 ? 1.25
                     : n == 4096                ? 1.12
                                                : 1.08);
        }
      }
    }
  }

  void importance() {
    for (const int dim : {128, 64}) {
      for (const float scale : {1.0F, 2.0F}) {
        const double own_scale = dim == 128 ? 1.12 : 1.20;
        over_plain(fmt::format("attention with importance over plain: head_dim {}, blocks of 128{}",
                               dim, scale == 1 ? "" : ", own scale"),
                   {dim, 4, 4096, 4096, 128, 0, scale}, scale == 1 ? 1.05 : own_scale);
      }
    }
  }

  void products(WeightType type, int threads) {
    const bool narrow = type == WeightType::bf16;
    const auto ceiling = [&] { return narrow ? bf16_ceiling(threads) : int8_ceiling(threads); };
    const auto backend = create_cpu_backend({.threads = threads, .weights = type});
    struct Shape {
      int in, out;
    };
    for (const Shape shape : {Shape{4096, 4096}, Shape{4096, 12288}, Shape{12288, 4096}}) {
      const int in = shape.in;
      const int out = shape.out;
      WeightCopies weights([&](const HostMatrix& w) { return backend->pack(w); }, in, out);
      for (const int rows : {1, 32, 64, 256}) {
        const Buffer x = random_matrix(rows, in);
        const Buffer y = random_matrix(rows, out);
        const auto seconds = [&] {
          const auto now = [&] { return threads == 1 ? thread_seconds() : wall_seconds(); };
          const double begin = now();
          backend->linear(x.view(rows, in), {&weights.next(), y.view(rows, out)});
          return now() - begin;
        };
        const std::string what =
            fmt::format("{} product {}x{}, {} row{}, {} thread{}", weight_type_name(type), in, out,
                        rows, rows == 1 ? "" : "s", threads, threads == 1 ? "" : "s");
        if (rows == 1) {
          const auto bytes = static_cast<double>(weights.next().bytes());
          const auto [ratio, limit] =
              ratios([&] { return bytes / seconds(); }, [&] { return read_ceiling(threads); });
          sink_({what, ratio, 0.85, false, giga("reading", limit, "B")});
        } else {
          const double operations = 2.0 * rows * in * out;
          const auto [ratio, limit] = ratios([&] { return operations / seconds(); }, ceiling);
          sink_({what, ratio, wanted(type, rows, threads), false,
                 giga(narrow ? "bf16" : "int8", limit, narrow ? "FLOP" : "OP")});
        }
      }
    }
  }

 private:
  static double wanted(WeightType type, int rows, int threads) {
    const bool few = rows < 64;
    switch (type) {
      case WeightType::bf16: return threads == 1 ? (few ? 0.85 : 0.88) : (few ? 0.75 : 0.85);
      case WeightType::int8: return threads == 1 ? (few ? 0.82 : 0.85) : (few ? 0.70 : 0.83);
      default: return few ? 0.62 : 0.75;
    }
  }

  void of_peak(const std::string& what, const AttentionCase& about, double wanted) {
    AttentionProblem problem(*backend_, about);
    const auto [ratio, limit] = ratios([&] { return problem.operations() / problem.pass(); },
                                       [] { return bf16_ceiling(1); });
    sink_({what, ratio, wanted, false, giga("bf16", limit, "FLOP")});
  }

  /// Taken in turns with a plain pass of the same shape.
  void over_plain(const std::string& what, const AttentionCase& about, double wanted) {
    AttentionProblem problem(*backend_, about);
    problem.pass();
    std::vector<double> ratios(kPasses);
    std::generate(ratios.begin(), ratios.end(), [&] {
      const double plain = problem.plain();
      return problem.pass() / (plain * problem.density());
    });
    sink_({what, spread_of(ratios), wanted, true, "the dense pass beside it"});
  }

  const TargetSink& sink_;
  std::unique_ptr<Backend> backend_ =
      create_cpu_backend({.threads = 1, .weights = WeightType::bf16});
};

}  // namespace

void measure_kernel_targets(int threads, const TargetSink& sink) {
  const CpuCapabilities kernels = cpu_capabilities(CpuOptions{}.kernels);
  if (!kernels.bf16_inputs || !kernels.bf16_attention) {
    fail("[bench] the targets are for kernels with products and attention of bfloat16");
  }
  KernelTargets targets(sink);
  targets.dense_attention();
  targets.sparse_attention();
  targets.importance();
  for (const WeightType type : {WeightType::bf16, WeightType::int8, WeightType::int4}) {
    targets.products(type, 1);
    if (threads > 1) targets.products(type, threads);
  }
}

}  // namespace unmask
