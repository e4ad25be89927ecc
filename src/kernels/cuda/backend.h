// The CUDA backend: the interface of backend.h as work for one device.
#pragma once

#include <memory>
#include <span>

#include "kernels/create_backend.h"
#include "ranks/columns.h"

namespace unmask::cuda {

/// Throws Error where there is no device; with ranks on all of them where one has none.
std::unique_ptr<Backend> create_backend(const CudaOptions& options);

/// Completes matrices in the memory of a backend with ranks, as create_backend() returned it.
void gather_columns(Backend& backend, std::span<const CutColumns> matrices);

}  // namespace unmask::cuda
