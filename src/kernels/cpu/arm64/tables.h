// The kernels of ARM64's instruction sets. Packing int4 is that of the plain ones, which NEON's
// registers hold already.
#pragma once

#include "kernels/cpu/table.h"

namespace unmask::cpu {

const KernelTable& neon_table();
const KernelTable& neon_dotprod_table();
const KernelTable& neon_i8mm_table();
const KernelTable& neon_bf16_table();

}  // namespace unmask::cpu
