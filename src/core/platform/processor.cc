#include "core/platform/processor.h"

#include <utility>

namespace unmask {

std::string missing_traits(const ProcessorTraits& present, const ProcessorTraits& needed) {
  constexpr std::pair<bool ProcessorTraits::*, const char*> kNames[] = {
      {&ProcessorTraits::avx2_fma, "AVX2 with FMA"}, {&ProcessorTraits::avx_vnni, "AVX-VNNI"},
      {&ProcessorTraits::avx512, "AVX-512"},         {&ProcessorTraits::bf16_dot, "AVX-512 BF16"},
      {&ProcessorTraits::vnni, "AVX-512 VNNI"},      {&ProcessorTraits::amx, "AMX"},
      {&ProcessorTraits::dotprod, "DotProd"},        {&ProcessorTraits::i8mm, "I8MM"},
      {&ProcessorTraits::bf16_matrices, "BF16"}};
  std::string missing;
  for (const auto& [trait, name] : kNames) {
    if (!(needed.*trait) || present.*trait) continue;
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  return missing;
}

}  // namespace unmask
