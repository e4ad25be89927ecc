// Failures of the CUDA runtime as Error. Needs CUDA's headers.
#pragma once

#include <cuda_runtime.h>

namespace unmask::cuda {

[[noreturn]] void call_failed(const char* call, const char* reason);

/// Throws Error with the name of the failed call.
inline void check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) call_failed(call, cudaGetErrorString(status));
}

}  // namespace unmask::cuda
