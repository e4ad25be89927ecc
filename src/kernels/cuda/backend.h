// The CUDA backend: the interface of backend.h as work for one device.
#pragma once

#include <memory>

#include "kernels/create_backend.h"

namespace unmask::cuda {

/// Throws Error where there is no device.
std::unique_ptr<Backend> create_backend(const CudaOptions& options);

}  // namespace unmask::cuda
