// What an x86-64 processor says of itself.
#include <cpuid.h>

#include "core/platform/processor.h"
#include "core/platform/x86/tiles.h"

namespace unmask {

namespace {

struct Leaf {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
};

/// Of extended features, for what clang 14 has no name; zeros where the processor has none.
Leaf features(unsigned subleaf) {
  Leaf l;
  __get_cpuid_count(7, subleaf, &l.eax, &l.ebx, &l.ecx, &l.edx);
  return l;
}

/// That the system keeps registers of 256 bits is what avx2_fma says.
bool has_avx_vnni() { return (features(1).eax & (1U << 4)) != 0; }

bool has_amx() {
  constexpr unsigned kBf16 = 1U << 22;
  constexpr unsigned kTile = 1U << 24;
  constexpr unsigned kInt8 = 1U << 25;
  constexpr unsigned kAll = kBf16 | kTile | kInt8;
  return (features(0).edx & kAll) == kAll && grant_tiles();
}

}  // namespace

ProcessorTraits detect_processor() {
  return {.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
          .avx_vnni = has_avx_vnni(),
          .avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"),
          .bf16_dot = __builtin_cpu_supports("avx512bf16") != 0,
          .vnni = __builtin_cpu_supports("avx512vnni") != 0,
          .amx = has_amx()};
}

}  // namespace unmask
