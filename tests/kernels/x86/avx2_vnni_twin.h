#pragma once

#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Needs AVX-512 VL and VNNI.
const KernelTable& avx2_vnni_twin();

}  // namespace unmask::cpu
