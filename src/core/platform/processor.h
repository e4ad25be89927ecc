// Which vector instructions this machine offers.
#pragma once

#include <string_view>

namespace unmask {

/// Each level has what the ones before it have; avx512_bf16 adds the dot products of bfloat16 and
/// of bytes (VNNI).
enum class IsaLevel { plain, avx2, avx512, avx512_bf16 };

std::string_view isa_name(IsaLevel level);

/// The best level this processor supports.
IsaLevel detect_isa();

/// detect_isa(), or the lower level named by the environment variable UNMASK_ISA (plain, avx2,
/// avx512, avx512_bf16). Throws Error for an unknown name or one the processor lacks.
IsaLevel select_isa();

/// Processors this process may run on (the affinity mask, not the machine's total).
int available_threads();

}  // namespace unmask
