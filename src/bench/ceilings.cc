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
#include "kernels/create_backend.h"

namespace unmask {

namespace {

constexpr int kChains = 16;     // independent sums: more than latency times throughput asks for
constexpr int kFewChains = 13;  // and an operand and a product: 16 registers there are
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
[[gnu::target("avx2,fma")]] void fma_256() {
  __m256 sums[kFewChains] = {};
  const __m256 x = _mm256_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m256& sum : sums) asm volatile("vfmadd231ps %1, %1, %0" : "+x"(sum) : "x"(x));
  }
}

[[gnu::target("avx512f")]] void fma_512() {
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) asm volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

[[gnu::target("avx512f,avx512bf16")]] void bf16_512() {
  __m512 sums[kChains] = {};
  const __m512 x = _mm512_setzero_ps();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512& sum : sums) asm volatile("vdpbf16ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

[[gnu::target("avx2,avxvnni")]] void bytes_256() {
  __m256i sums[kFewChains] = {};
  const __m256i x = _mm256_setzero_si256();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m256i& sum : sums) asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sum) : "x"(x));
  }
}

[[gnu::target("avx512f,avx512vnni")]] void bytes_512() {
  __m512i sums[kChains] = {};
  const __m512i x = _mm512_setzero_si512();
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) asm volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(x));
  }
}

[[gnu::target("avx2")]] void words_256() {
  __m256i sums[kFewChains] = {};
  const __m256i x = _mm256_setzero_si256();
  __m256i product;
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m256i& sum : sums) {
      asm volatile("vpmaddwd %2, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(x));
    }
  }
}

[[gnu::target("avx512f,avx512bw")]] void words_512() {
  __m512i sums[kChains] = {};
  const __m512i x = _mm512_setzero_si512();
  __m512i product;
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) {
      asm volatile("vpmaddwd %2, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(x));
    }
  }
}

[[gnu::target("avx2")]] void nibbles_256() {
  __m256i sums[kFewChains] = {};
  const __m256i x = _mm256_setzero_si256();
  __m256i product;
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m256i& sum : sums) {
      asm volatile("vpmaddubsw %2, %2, %1\n\tvpaddw %1, %0, %0"
                   : "+x"(sum), "=&x"(product)
                   : "x"(x));
    }
  }
}

[[gnu::target("avx512f,avx512bw")]] void nibbles_512() {
  __m512i sums[kChains] = {};
  const __m512i x = _mm512_setzero_si512();
  __m512i product;
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (__m512i& sum : sums) {
      asm volatile("vpmaddubsw %2, %2, %1\n\tvpaddw %1, %0, %0"
                   : "+v"(sum), "=&v"(product)
                   : "v"(x));
    }
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

CpuCapabilities kernels() { return cpu_capabilities(CpuOptions{}.kernels); }

bool is_wide() { return kernels().register_bits == 512; }

/// Of chains whose every step multiplies `products` numbers.
double chain_rate(int threads, int products, int chains, void (*run)()) {
  return best_rate(threads, 2.0 * products * chains * kSteps, [run](int) { run(); });
}

}  // namespace

double f32_ceiling(int threads) {
  if (!detect_processor().avx2_fma) return 0;
  return is_wide() ? chain_rate(threads, 16, kChains, fma_512)
                   : chain_rate(threads, 8, kFewChains, fma_256);
}

double bf16_ceiling(int threads) {
  return kernels().bf16_dot ? chain_rate(threads, 32, kChains, bf16_512) : f32_ceiling(threads);
}

double int8_ceiling(int threads) {
  if (!detect_processor().avx2_fma) return 0;
  if (!kernels().int8_dot) {
    return is_wide() ? chain_rate(threads, 32, kChains, words_512)
                     : chain_rate(threads, 16, kFewChains, words_256);
  }
  return is_wide() ? chain_rate(threads, 64, kChains, bytes_512)
                   : chain_rate(threads, 32, kFewChains, bytes_256);
}

double int4_ceiling(int threads) {
  if (!detect_processor().avx2_fma) return 0;
  if (kernels().int8_dot) return int8_ceiling(threads);
  return is_wide() ? chain_rate(threads, 64, kChains, nibbles_512)
                   : chain_rate(threads, 32, kFewChains, nibbles_256);
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
  return {threads,
          f32_ceiling(threads),
          bf16_ceiling(threads),
          int8_ceiling(threads),
          int4_ceiling(threads),
          read_ceiling(threads)};
}

}  // namespace unmask
