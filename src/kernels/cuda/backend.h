// The CUDA backend: the interface of backend.h as work for one device.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace unmask::cuda {

/// `threads`: of the host, for sampling; 0: every processor this process may use. Throws Error
/// where there is no device.
std::unique_ptr<Backend> create_backend(int threads);

}  // namespace unmask::cuda
