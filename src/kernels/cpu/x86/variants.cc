#include "kernels/cpu/variants.h"

namespace unmask::cpu {

namespace {

constexpr KernelNeeds kNeeds[] = {
    {"amx", {.avx2_fma = true, .avx512 = true, .bf16_dot = true, .vnni = true, .amx = true}},
    {"avx512_bf16", {.avx2_fma = true, .avx512 = true, .bf16_dot = true, .vnni = true}},
    {"avx512_vnni", {.avx2_fma = true, .avx512 = true, .vnni = true}},
    {"avx512", {.avx2_fma = true, .avx512 = true}},
    {"avx2_vnni", {.avx2_fma = true, .avx_vnni = true}},
    {"avx2", {.avx2_fma = true}},
    {"plain", {}},
};

}  // namespace

std::span<const KernelNeeds> kernel_needs() { return kNeeds; }

}  // namespace unmask::cpu
