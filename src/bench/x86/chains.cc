#include "bench/chains.h"

#include <immintrin.h>

namespace unmask {

namespace {

constexpr int kChains = 16;     // independent sums: more than latency times throughput asks for
constexpr int kFewChains = 13;  // and an operand and a product: 16 registers there are
constexpr int kSteps = 200'000;

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

Chain chain(int products, int chains, void (*run)()) {
  return {1.0 * products * chains * kSteps, run};
}

}  // namespace

// Kernels for every processor are compared with what this one does with registers of 256 bits.

Chain f32_chain(const ProcessorTraits& instructions) {
  if (instructions.avx512) return chain(16, kChains, fma_512);
  return detect_processor().avx2_fma ? chain(8, kFewChains, fma_256) : Chain{};
}

Chain bf16_chain(const ProcessorTraits& instructions) {
  return instructions.bf16_dot ? chain(32, kChains, bf16_512) : f32_chain(instructions);
}

Chain int8_chain(const ProcessorTraits& instructions) {
  if (instructions.vnni) return chain(64, kChains, bytes_512);
  if (instructions.avx512) return chain(32, kChains, words_512);
  if (instructions.avx_vnni) return chain(32, kFewChains, bytes_256);
  return detect_processor().avx2_fma ? chain(16, kFewChains, words_256) : Chain{};
}

Chain int4_chain(const ProcessorTraits& instructions) {
  if (instructions.vnni || instructions.avx_vnni) return int8_chain(instructions);
  if (instructions.avx512) return chain(64, kChains, nibbles_512);
  return detect_processor().avx2_fma ? chain(32, kFewChains, nibbles_256) : Chain{};
}

}  // namespace unmask
