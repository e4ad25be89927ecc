#include "kernels/cpu/variants.h"

namespace unmask::cpu {

namespace {

constexpr KernelNeeds kNeeds[] = {
    {"neon_bf16", {.dotprod = true, .i8mm = true, .bf16_matrices = true}},
    {"neon_i8mm", {.dotprod = true, .i8mm = true}},
    {"neon_dotprod", {.dotprod = true}},
    {"neon", {}},
    {"plain", {}},
};

}  // namespace

std::span<const KernelNeeds> kernel_needs() { return kNeeds; }

}  // namespace unmask::cpu
