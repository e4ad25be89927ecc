#include "bench/ceilings.h"

#include <algorithm>
#include <immintrin.h>
#include <numeric>
#include <vector>

#include "bench/timing.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/platform/processor.h"
#include "core/tensor.h"

namespace unmask {

namespace {

constexpr int kChains = 16;  // independent sums: more than latency times throughput asks for
constexpr int kSteps = 200'000;
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

// Assembly, lest the compiler puts the sums into memory or finds that nobody needs them.
[[gnu::target("avx2,fma")]] void fma_chains_of_256_bits() {
  __m256 sums[kChains - 2] = {};  // and the operand: 16 registers there are
  const __m256 x = _mm256_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m256& sum : sums) asm volatile("vfmadd231ps %1, %1, %0" : "+x"(sum) : "x"(x));
  }
}

[[gnu::target("avx512f")]] void fma_chains() {
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) asm volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

[[gnu::target("avx512f,avx512bf16")]] void bf16_chains() {
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) asm volatile("vdpbf16ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

[[gnu::target("avx512f,avx512vnni")]] void int8_chains() {
  __m512i sums[kChains] = {};
  const __m512i x = _mm512_setzero_si512();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) asm volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(x));
  }
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

}  // namespace

double f32_ceiling(int threads) {
  const ProcessorTraits processor = detect_processor();
  if (processor.avx512) {
    return best_rate(threads, 2.0 * 16 * kChains * kSteps, [](int) { fma_chains(); });
  }
  if (!processor.avx2_fma) return 0;
  return best_rate(threads, 2.0 * 8 * (kChains - 2) * kSteps,
                   [](int) { fma_chains_of_256_bits(); });
}

double bf16_ceiling(int threads) {
  const ProcessorTraits processor = detect_processor();
  if (!processor.avx512 || !processor.bf16_dot) return 0;
  return best_rate(threads, 2.0 * 32 * kChains * kSteps, [](int) { bf16_chains(); });
}

double int8_ceiling(int threads) {
  const ProcessorTraits processor = detect_processor();
  if (!processor.avx512 || !processor.vnni) return 0;
  return best_rate(threads, 2.0 * 64 * kChains * kSteps, [](int) { int8_chains(); });
}

double read_ceiling(int threads) {
  const Buffer memory = allocate_host(kReadBytes);
  const size_t part = kReadBytes / static_cast<size_t>(threads);
  const auto* first = static_cast<const char*>(memory.data());
  return best_rate(threads, static_cast<double>(part),
                   [&](int task) { read_all(first + static_cast<size_t>(task) * part, part); });
}

Ceilings measure_ceilings(int threads) {
  if (!detect_processor().avx2_fma) {
    fail("[bench] this processor has no AVX2 with FMA, so there is no ceiling to compare with");
  }
  return {threads, f32_ceiling(threads), bf16_ceiling(threads), int8_ceiling(threads),
          read_ceiling(threads)};
}

}  // namespace unmask
