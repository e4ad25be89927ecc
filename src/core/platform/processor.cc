#include "core/platform/processor.h"

#include <sched.h>
#include <thread>
#include <utility>

namespace unmask {

ProcessorTraits detect_processor() {
  return {.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
          .avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"),
          .bf16_dot = __builtin_cpu_supports("avx512bf16") != 0,
          .vnni = __builtin_cpu_supports("avx512vnni") != 0};
}

std::string missing_traits(const ProcessorTraits& present, const ProcessorTraits& needed) {
  constexpr std::pair<bool ProcessorTraits::*, const char*> kNames[] = {
      {&ProcessorTraits::avx2_fma, "AVX2 with FMA"},
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
