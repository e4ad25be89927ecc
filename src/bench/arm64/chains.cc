#include "bench/chains.h"

#include <arm_neon.h>

namespace unmask {

namespace {

constexpr int kChains = 24;  // of 32 registers; more than latency times throughput asks for
constexpr int kSteps = 200'000;

// Assembly, lest the compiler puts the sums into memory or finds that nobody needs them. Without
// the directive an assembler for every processor would not know what only some have.
void multiply_adds() {
  uint8x16_t sums[kChains] = {};
  const uint8x16_t x = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (uint8x16_t& sum : sums) {
      asm volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(sum) : "w"(x));
    }
  }
}

void matrices_of_bf16() {
  uint8x16_t sums[kChains] = {};
  const uint8x16_t x = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (uint8x16_t& sum : sums) {
      asm volatile(".arch armv8.2-a+bf16\n\tbfmmla %0.4s, %1.8h, %1.8h" : "+w"(sum) : "w"(x));
    }
  }
}

void matrices_of_bytes() {
  uint8x16_t sums[kChains] = {};
  const uint8x16_t x = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (uint8x16_t& sum : sums) {
      asm volatile(".arch armv8.2-a+i8mm\n\tusmmla %0.4s, %1.16b, %1.16b" : "+w"(sum) : "w"(x));
    }
  }
}

void dots_of_bytes() {
  uint8x16_t sums[kChains] = {};
  const uint8x16_t x = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (uint8x16_t& sum : sums) {
      asm volatile(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %1.16b" : "+w"(sum) : "w"(x));
    }
  }
}

void products_of_bytes() {
  uint8x16_t sums[kChains] = {};
  const uint8x16_t x = {};
  for (int i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (uint8x16_t& sum : sums) {
      asm volatile("smlal %0.8h, %1.8b, %1.8b" : "+w"(sum) : "w"(x));
    }
  }
}

Chain chain(int products, void (*run)()) { return {1.0 * products * kChains * kSteps, run}; }

}  // namespace

Chain f32_chain(const ProcessorTraits& /*instructions*/) { return chain(4, multiply_adds); }

Chain bf16_chain(const ProcessorTraits& instructions) {
  return instructions.bf16_matrices ? chain(16, matrices_of_bf16) : f32_chain(instructions);
}

Chain int8_chain(const ProcessorTraits& instructions) {
  if (instructions.i8mm) return chain(32, matrices_of_bytes);
  return instructions.dotprod ? chain(16, dots_of_bytes) : chain(8, products_of_bytes);
}

Chain int4_chain(const ProcessorTraits& instructions) { return int8_chain(instructions); }

}  // namespace unmask
