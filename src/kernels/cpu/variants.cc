#include "kernels/cpu/variants.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "kernels/create_backend.h"

namespace unmask {

namespace cpu {

const std::vector<KernelVariant>& kernel_variants() {
  static const std::vector<KernelVariant> variants = [] {
    std::vector<KernelVariant> built;
    for (const KernelNeeds& set : kernel_needs()) {
      const auto found = std::ranges::find(built_tables(), set.name, &BuiltTable::name);
      if (found != built_tables().end()) built.push_back({set.name, set.needs, found->table});
    }
    return built;
  }();
  return variants;
}

const KernelVariant& select_variant(std::string_view name, const ProcessorTraits& processor) {
  for (const KernelVariant& variant : kernel_variants()) {
    if (name.empty() ? !variant.runs_on(processor) : variant.name != name) continue;
    const std::string missing = missing_traits(processor, variant.needs);
    if (missing.empty()) return variant;
    fail("[cpu] kernels '{}': this processor lacks {}", name, missing);
  }
  std::string names;
  for (const KernelVariant& variant : kernel_variants()) names += fmt::format(" {}", variant.name);
  fail("[cpu] kernels '{}': not in this build, expected one of:{}", printable(name), names);
}

}  // namespace cpu

std::vector<std::string> cpu_kernel_names() {
  const ProcessorTraits processor = detect_processor();
  std::vector<std::string> names;
  for (const cpu::KernelVariant& variant : cpu::kernel_variants()) {
    if (variant.runs_on(processor)) names.emplace_back(variant.name);
  }
  return names;
}

CpuCapabilities cpu_capabilities(const std::string& kernels) {
  const cpu::KernelVariant& variant = cpu::select_variant(kernels);
  const cpu::KernelTable& table = variant.table();
  return {.instructions = variant.needs,
          .bf16_inputs = table.bf16_inputs,
          .bf16_attention = table.bf16_attention != nullptr};
}

}  // namespace unmask
