#include "bench/ceilings.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "bench/chains.h"
#include "bench/timing.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "kernels/create_backend.h"

namespace unmask {

namespace {

constexpr int kRepetitions = 5;
constexpr size_t kReadBytes = size_t{256} << 20;

/// The best of a few repetitions of the threads' rates, `amount` per call and thread, summed.
template <typename Work>
double best_rate(int threads, double amount, const Work& work) {
  ThreadPool pool(threads);
  std::vector<double> rates(static_cast<size_t>(threads));
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    pool.run(threads, [&](int task, int) {
      const double start = thread_seconds();
      work(task);
      rates[static_cast<size_t>(task)] = amount / (thread_seconds() - start);
    });
    best = std::max(best, std::accumulate(rates.begin(), rates.end(), 0.0));
  }
  return best;
}

/// Reads by cache line: one load of each is enough to bring it in.
void read_all(const char* from, size_t bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes; i += 64) {
    uint64_t word;
    __builtin_memcpy(&word, from + i, sizeof word);
    sum ^= word;
  }
  asm volatile("" : : "r"(sum));
}

/// Of the chain that the kernels at hand ask for.
double chain_rate(int threads, Chain (*chain_of)(const ProcessorTraits&)) {
  const Chain chain = chain_of(cpu_capabilities(CpuOptions{}.kernels).instructions);
  if (chain.run == nullptr) return 0;
  return best_rate(threads, 2.0 * chain.products, [&](int) { chain.run(); });
}

}  // namespace

double f32_ceiling(int threads) { return chain_rate(threads, f32_chain); }
double bf16_ceiling(int threads) { return chain_rate(threads, bf16_chain); }
double int8_ceiling(int threads) { return chain_rate(threads, int8_chain); }
double int4_ceiling(int threads) { return chain_rate(threads, int4_chain); }

double read_ceiling(int threads) {
  const Buffer memory = allocate_host(kReadBytes);
  const size_t part = kReadBytes / static_cast<size_t>(threads);
  const auto* first = static_cast<const char*>(memory.data());
  return best_rate(threads, static_cast<double>(part),
                   [&](int task) { read_all(first + static_cast<size_t>(task) * part, part); });
}

bool has_ceilings() {
  return f32_chain(cpu_capabilities(CpuOptions{}.kernels).instructions).run != nullptr;
}

Ceilings measure_ceilings(int threads) {
  if (!has_ceilings()) {
    fail(
        "[bench] this processor has no fused multiply-adds, so there is no ceiling to compare "
        "with");
  }
  return {threads,
          f32_ceiling(threads),
          bf16_ceiling(threads),
          int8_ceiling(threads),
          int4_ceiling(threads),
          read_ceiling(threads)};
}

}  // namespace unmask
