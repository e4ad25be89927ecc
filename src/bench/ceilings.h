// What this processor does at best, measured: the denominators of every benchmark.
#pragma once

namespace unmask {

/// Operations per second (a multiply-add counts as two) of `threads` threads that do nothing but
/// the instruction on registers that the kernels at hand (CpuOptions) multiply with. Each thread's
/// rate is taken over its own processor time, the best of a few repetitions, so that a disturbed
/// moment does not flatter what is compared with it.
double f32_ceiling(int threads);   // multiply-adds; 0 without fused ones
double bf16_ceiling(int threads);  // vdpbf16ps or bfmmla, or what f32_ceiling() measures
double int8_ceiling(int threads);  // vpdpbusd, or vpmaddwd with its addition; usmmla, sdot or smlal
double int4_ceiling(int threads);  // vpdpbusd, or vpmaddubsw with its addition; as int8 on ARM64
/// Bytes per second that as many threads read from more memory than any cache holds.
double read_ceiling(int threads);

struct Ceilings {
  int threads = 1;
  double f32 = 0;
  double bf16 = 0;
  double int8 = 0;
  double int4 = 0;
  double read = 0;
};
/// Whether the kernels at hand have fused multiply-adds, without which nothing could be compared.
bool has_ceilings();
/// Throws Error where there are none.
Ceilings measure_ceilings(int threads);

}  // namespace unmask
