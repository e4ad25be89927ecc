#include "kernels/cuda/check.h"

#include "core/error.h"

namespace unmask::cuda {

void call_failed(const char* call, const char* reason) { fail("[cuda] {}: {}", call, reason); }

}  // namespace unmask::cuda
