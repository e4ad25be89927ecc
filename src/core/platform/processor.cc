#include "core/platform/processor.h"

#include <cpuid.h>
#include <sched.h>
#include <thread>
#include <utility>

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

std::string missing_traits(const ProcessorTraits& present, const ProcessorTraits& needed) {
  constexpr std::pair<bool ProcessorTraits::*, const char*> kNames[] = {
      {&ProcessorTraits::avx2_fma, "AVX2 with FMA"},
      {&ProcessorTraits::avx_vnni, "AVX-VNNI"},
      {&ProcessorTraits::avx512, "AVX-512"},
      {&ProcessorTraits::bf16_dot, "AVX-512 BF16"},
      {&ProcessorTraits::vnni, "AVX-512 VNNI"}};
  std::string missing;
  for (const auto& [trait, name] : kNames) {
    if (!(needed.*trait) || present.*trait) continue;
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  return missing;
}

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace unmask
