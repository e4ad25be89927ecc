// Construction of backends by what they need, not by their types.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/weight_type.h"

namespace unmask {

struct CpuOptions {
  int threads = 0;  // 0: every processor this process may use
  WeightType weights = WeightType::f32;
};

/// Vectorised kernels. Throws Error when the processor lacks what `weights`
/// needs or the options make no sense.
std::unique_ptr<Backend> create_cpu_backend(const CpuOptions& options);

/// Plain loops in double precision, one thread: the oracle of every kernel test.
std::unique_ptr<Backend> create_reference_backend();

}  // namespace unmask
