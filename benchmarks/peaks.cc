#include "peaks.h"

#include <algorithm>
#include <ctime>
#include <immintrin.h>

#include "core/cpu_info.h"
#include "core/tensor.h"

namespace unmask::benchmarks {

namespace {

constexpr int kChains = 16;  // independent sums: more than latency times throughput asks for
constexpr int kSteps = 200'000;
constexpr int kRepetitions = 5;
constexpr size_t kReadBytes = size_t{256} << 20;

/// Largest amount/seconds of a few calls: a limit is what is reached undisturbed.
template <typename Work>
double best_rate(double amount, const Work& work) {
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double start = thread_seconds();
    work();
    best = std::max(best, amount / (thread_seconds() - start));
  }
  return best;
}

// Assembly, lest the compiler puts the sums into memory or finds that nobody needs them.
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

[[gnu::target("avx512f")]] void read_all(const Buffer& memory) {
  __m512i sums[8] = {};
  const auto* from = static_cast<const __m512i*>(memory.data());
  for (size_t i = 0; i < kReadBytes / sizeof(__m512i); i += 8) {
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sums[j] ^= from[i + j];
  }
  for (__m512i& sum : sums) asm volatile("" : : "v"(sum));
}

}  // namespace

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double bf16_peak() {
  if (detect_isa() < IsaLevel::avx512_bf16) return 0;
  return best_rate(2.0 * 32 * kChains * kSteps, bf16_chains);
}

double int8_peak() {
  if (detect_isa() < IsaLevel::avx512_bf16) return 0;
  return best_rate(2.0 * 64 * kChains * kSteps, int8_chains);
}

double read_peak() {
  if (detect_isa() < IsaLevel::avx512) return 0;
  static const Buffer memory = allocate_host(kReadBytes);
  return best_rate(static_cast<double>(kReadBytes), [] { read_all(memory); });
}

}  // namespace unmask::benchmarks
