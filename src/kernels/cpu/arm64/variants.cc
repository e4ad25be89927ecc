#include "kernels/cpu/variants.h"

#include "kernels/cpu/arm64/tables.h"

namespace unmask::cpu {

namespace {

constexpr KernelVariant kVariants[] = {
    {"neon_bf16", {.dotprod = true, .i8mm = true, .bf16_matrices = true}, neon_bf16_table},
    {"neon_i8mm", {.dotprod = true, .i8mm = true}, neon_i8mm_table},
    {"neon_dotprod", {.dotprod = true}, neon_dotprod_table},
    {"neon", {}, neon_table},
    {"plain", {}, plain_table},
};

}  // namespace

std::span<const KernelVariant> kernel_variants() { return kVariants; }

}  // namespace unmask::cpu
