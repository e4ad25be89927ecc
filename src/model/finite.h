// Weights that are no numbers would become tokens that look like an answer.
#pragma once

#include "core/parallel.h"
#include "kernels/backend.h"
#include "model/families.h"

namespace unmask {

/// Throws Error naming the tensor, its layer and what was found when a value of `matrix` is
/// infinite or no number; of blocks that is asked of their scales.
void check_finite(const TensorSpec& spec, const HostMatrix& matrix, ThreadPool& pool);

}  // namespace unmask
