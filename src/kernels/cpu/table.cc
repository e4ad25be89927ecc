#include "kernels/cpu/table.h"

#include "core/platform/processor.h"

namespace unmask::cpu {

const KernelTable& select_table() {
  switch (select_isa()) {
    case IsaLevel::avx512_bf16: return avx512_bf16_table();
    case IsaLevel::avx512: return avx512_table();
    case IsaLevel::avx2: return avx2_table();
    case IsaLevel::plain: break;
  }
  return plain_table();
}

}  // namespace unmask::cpu
