#include "kernels/cpu/variants.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "kernels/create_backend.h"

namespace unmask {

namespace cpu {

namespace {

// The best first. A line more is all that another set of instructions asks for.
constexpr KernelVariant kVariants[] = {
    {"avx512_bf16",
     {.avx2_fma = true, .avx512 = true, .bf16_dot = true, .vnni = true},
     avx512_bf16_table},
    {"avx512_vnni", {.avx2_fma = true, .avx512 = true, .vnni = true}, avx512_vnni_table},
    {"avx512", {.avx2_fma = true, .avx512 = true}, avx512_table},
    {"avx2_vnni", {.avx2_fma = true, .avx_vnni = true}, avx2_vnni_table},
    {"avx2", {.avx2_fma = true}, avx2_table},
    {"plain", {}, plain_table},
};

}  // namespace

std::span<const KernelVariant> kernel_variants() { return kVariants; }

const KernelVariant& select_variant(std::string_view name, const ProcessorTraits& processor) {
  for (const KernelVariant& variant : kVariants) {
    if (name.empty() ? !variant.runs_on(processor) : variant.name != name) continue;
    const std::string missing = missing_traits(processor, variant.needs);
    if (missing.empty()) return variant;
    fail("[cpu] kernels '{}': this processor lacks {}", name, missing);
  }
  std::string names;
  for (const KernelVariant& variant : kVariants) names += fmt::format(" {}", variant.name);
  fail("[cpu] kernels '{}': unknown, expected one of:{}", printable(name), names);
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
  return {.register_bits = variant.needs.avx512     ? 512
                           : variant.needs.avx2_fma ? 256
                                                    : 128,
          .bf16_dot = variant.needs.bf16_dot,
          .int8_dot = variant.needs.vnni || variant.needs.avx_vnni};
}

}  // namespace unmask
