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

/// In which type the attention of that backend keeps packed keys and values (PackedKv).
DType cpu_attention_type(WeightType weights);

/// Backend::activation_type() and tile_rows() of the CUDA backend, for plans without one.
inline constexpr DType kCudaActivations = DType::bf16;
inline constexpr int kCudaTileRows = 8192;

struct CudaOptions {
  int threads = 0;  // of the host, which samples; 0: every processor this process may use
};

/// The first CUDA device, bfloat16 weights. The backend is a plug-in, libunmask_cuda.so beside the
/// program, in the system's library path or where the environment variable UNMASK_CUDA_PLUGIN says.
/// Throws Error where there is no plug-in, where it belongs to another build, and without a device.
std::unique_ptr<Backend> create_cuda_backend(const CudaOptions& options);

/// Plain loops in double precision, one thread: the oracle of every kernel test.
std::unique_ptr<Backend> create_reference_backend();

}  // namespace unmask
