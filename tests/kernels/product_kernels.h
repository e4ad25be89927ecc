// The kernels that products are tested with: those of this processor and, where it has no AVX-VNNI
// but AVX-512's, those of AVX-VNNI in the other encoding.
#pragma once

#include <string>
#include <vector>

#include "core/platform/processor.h"
#include "kernels/cpu/variants.h"
#include "kernels/create_backend.h"

namespace unmask::testing {

const cpu::KernelTable& avx2_vnni_twin();

inline constexpr std::string_view kTwin = "avx2_vnni_twin";

inline std::vector<std::string> product_kernels() {
  std::vector<std::string> names = cpu_kernel_names();
  const ProcessorTraits processor = detect_processor();
  if (processor.avx512 && processor.vnni) names.emplace_back(kTwin);
  return names;
}

inline const cpu::KernelTable& kernel_table(const std::string& name) {
  return name == kTwin ? avx2_vnni_twin() : cpu::select_variant(name).table();
}

}  // namespace unmask::testing
