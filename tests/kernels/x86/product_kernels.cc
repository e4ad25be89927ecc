#include "kernels/product_kernels.h"

#include "kernels/x86/amx_twin.h"
#include "kernels/x86/avx2_vnni_twin.h"

namespace unmask::testing {

std::vector<Twin> twins_of_kernels() {
  const ProcessorTraits processor = detect_processor();
  if (!processor.avx512 || !processor.vnni) return {};
  std::vector<Twin> twins{{"avx2_vnni_twin", cpu::avx2_vnni_twin}};
  if (processor.bf16_dot) twins.push_back({"amx_twin", cpu::amx_twin});
  return twins;
}

}  // namespace unmask::testing
