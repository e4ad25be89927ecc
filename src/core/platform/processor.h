// Which instructions this machine offers, and how many processors.
#pragma once

#include <string>

namespace unmask {

/// Instructions that kernels are compiled for. What needs some says which; nothing is derived from
/// the age of a processor.
struct ProcessorTraits {
  bool avx2_fma = false;
  bool avx_vnni = false;  // dot products of bytes in registers of 256 bits
  bool avx512 = false;    // F, BW, DQ and VL
  bool bf16_dot = false;  // AVX-512 BF16
  bool vnni = false;      // AVX-512 VNNI, dot products of bytes

  bool operator==(const ProcessorTraits&) const = default;
};

/// What this processor has.
ProcessorTraits detect_processor();

/// Names of what `needed` has and `present` lacks, e.g. "AVX2 with FMA, VNNI"; empty: nothing.
std::string missing_traits(const ProcessorTraits& present, const ProcessorTraits& needed);

/// Processors this process may run on (the affinity mask, not the machine's total).
int available_threads();

}  // namespace unmask
