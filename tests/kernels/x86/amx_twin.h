#pragma once

#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Needs what avx512_bf16 needs.
const KernelTable& amx_twin();

}  // namespace unmask::cpu
