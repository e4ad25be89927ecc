// What one thread could multiply at best: chains of multiply-adds that wait for nothing but the
// units that do them.
#pragma once

#include <cstdint>

namespace unmask::peak {

/// Thread CPU time in seconds; on a shared machine more telling than the clock on the wall.
double cpu_seconds();

/// Operations (two a multiply-add) per second of one thread with the products that the CPU backend
/// uses for attention: bf16 dot products or float32 multiply-adds. Takes some milliseconds.
double operations_per_second(bool bf16);

/// Operations done by that many rounds of the innermost loops, which need the instruction set.
int64_t multiply_f32(int64_t rounds);
int64_t multiply_bf16(int64_t rounds);

}  // namespace unmask::peak
