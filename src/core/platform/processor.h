// Which instructions this machine offers, and how many processors.
#pragma once

#include <string>

namespace unmask {

/// Instructions that kernels are compiled for. What needs some says which; nothing is derived from
/// the age of a processor. Those of another kind of processor are false.
struct ProcessorTraits {
  // x86-64
  bool avx2_fma = false;
  bool avx_vnni = false;  // dot products of bytes in registers of 256 bits
  bool avx512 = false;    // F, BW, DQ and VL
  bool bf16_dot = false;  // AVX-512 BF16
  bool vnni = false;      // AVX-512 VNNI, dot products of bytes
  bool amx = false;       // AMX-TILE, INT8 and BF16, where the system lets a process use them
  // ARM64
  bool dotprod = false;        // FEAT_DotProd, dot products of bytes
  bool i8mm = false;           // FEAT_I8MM, products of 2x8 and 8x2 bytes
  bool bf16_matrices = false;  // FEAT_BF16, products of 2x4 and 4x2 bfloat16 numbers

  bool operator==(const ProcessorTraits&) const = default;
};

/// What this processor has.
ProcessorTraits detect_processor();

/// Names of what `needed` has and `present` lacks, e.g. "AVX2 with FMA, VNNI"; empty: nothing.
std::string missing_traits(const ProcessorTraits& present, const ProcessorTraits& needed);

/// Processors this process may run on (where the system tells it, not the machine's total).
int available_threads();

}  // namespace unmask
