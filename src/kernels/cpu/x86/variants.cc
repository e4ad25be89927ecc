#include "kernels/cpu/variants.h"

#include "kernels/cpu/x86/tables.h"

namespace unmask::cpu {

namespace {

// A line more is all that another set of instructions asks for.
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

}  // namespace unmask::cpu
