#include "kernels/product_kernels.h"

#include "kernels/x86/avx2_vnni_twin.h"

namespace unmask::testing {

std::vector<Twin> twins_of_kernels() {
  const ProcessorTraits processor = detect_processor();
  if (!processor.avx512 || !processor.vnni) return {};
  return {{"avx2_vnni_twin", cpu::avx2_vnni_twin}};
}

}  // namespace unmask::testing
