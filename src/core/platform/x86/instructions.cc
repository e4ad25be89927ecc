// What an x86-64 processor says of itself.
#include <cpuid.h>

#include "core/platform/processor.h"

namespace unmask {

namespace {

/// Not among the names that clang 14 knows. That the system keeps registers of 256 bits is what
/// avx2_fma says.
bool has_avx_vnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kBit = 1U << 4;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kBit) != 0;
}

}  // namespace

ProcessorTraits detect_processor() {
  return {.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
          .avx_vnni = has_avx_vnni(),
          .avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"),
          .bf16_dot = __builtin_cpu_supports("avx512bf16") != 0,
          .vnni = __builtin_cpu_supports("avx512vnni") != 0};
}

}  // namespace unmask
