// Loops of one instruction that multiplies, which nothing but the instruction itself bounds.
#pragma once

#include "core/platform/processor.h"

namespace unmask {

/// As many independent sums as latency times throughput asks for, step by step.
struct Chain {
  double products = 0;  // of two numbers, in one run
  void (*run)() = nullptr;
};

/// The instruction with which kernels that are compiled for `instructions` multiply such numbers;
/// no run where they have none.
Chain f32_chain(const ProcessorTraits& instructions);
Chain bf16_chain(const ProcessorTraits& instructions);
Chain int8_chain(const ProcessorTraits& instructions);
Chain int4_chain(const ProcessorTraits& instructions);

}  // namespace unmask
