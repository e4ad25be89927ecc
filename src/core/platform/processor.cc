#include "core/platform/processor.h"

#include <cstdlib>
#include <sched.h>
#include <string>
#include <thread>

#include "core/error.h"

namespace unmask {

std::string_view isa_name(IsaLevel level) {
  switch (level) {
    case IsaLevel::plain: return "plain";
    case IsaLevel::avx2: return "avx2";
    case IsaLevel::avx512: return "avx512";
    case IsaLevel::avx512_bf16: return "avx512_bf16";
  }
  return "unknown";
}

IsaLevel detect_isa() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    const bool narrow =
        __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    return narrow ? IsaLevel::avx512_bf16 : IsaLevel::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return IsaLevel::avx2;
  return IsaLevel::plain;
}

IsaLevel select_isa() {
  const IsaLevel best = detect_isa();
  const char* wanted = std::getenv("UNMASK_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const IsaLevel level :
       {IsaLevel::plain, IsaLevel::avx2, IsaLevel::avx512, IsaLevel::avx512_bf16}) {
    if (isa_name(level) != wanted) continue;
    if (level > best) {
      fail("UNMASK_ISA={}: this processor supports {} at most", wanted, isa_name(best));
    }
    return level;
  }
  fail("UNMASK_ISA={}: unknown; use plain, avx2, avx512 or avx512_bf16", printable(wanted));
}

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace unmask
