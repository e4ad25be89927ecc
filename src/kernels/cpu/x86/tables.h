// The kernels of x86-64's instruction sets.
#pragma once

#include "kernels/cpu/table.h"

namespace unmask::cpu {

QuantizeGroups avx2_quantize_groups;
QuantizeGroups avx512_quantize_groups;

const KernelTable& avx2_table();
const KernelTable& avx2_vnni_table();
const KernelTable& avx512_table();
const KernelTable& avx512_vnni_table();
const KernelTable& avx512_bf16_table();
const KernelTable& amx_table();

}  // namespace unmask::cpu
