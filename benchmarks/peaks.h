// What one thread of this processor does at best, measured: the denominators of the benchmarks.
#pragma once

namespace unmask::benchmarks {

/// Operations per second (a multiply-add counts as two) of code that does nothing but vdpbf16ps or
/// vpdpbusd on registers of 512 bits; 0 on a processor without them.
double bf16_peak();
double int8_peak();

/// Bytes per second read from more memory than any cache holds; 0 without AVX-512.
double read_peak();

/// Processor time of the calling thread.
double thread_seconds();

}  // namespace unmask::benchmarks
