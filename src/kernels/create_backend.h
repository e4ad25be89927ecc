// Construction of backends by what they need, not by their types.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace unmask {

struct CpuOptions {
  int threads = 0;             // 0: every processor this process may use
  DType weights = DType::f32;  // f32 or bf16: type of packed weights and product inputs
};

/// Vectorised kernels and oneDNN products. Throws Error when the processor lacks what `weights`
/// needs or the options make no sense.
std::unique_ptr<Backend> create_cpu_backend(const CpuOptions& options);

/// Plain loops in double precision, one thread: the oracle of every kernel test.
std::unique_ptr<Backend> create_reference_backend();

}  // namespace unmask
