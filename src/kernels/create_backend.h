// Construction of backends by what they need, not by their types.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/platform/processor.h"
#include "core/stop.h"
#include "kernels/backend.h"
#include "kernels/environment.h"
#include "kernels/weight_type.h"

namespace unmask {

class Communicator;

struct CpuOptions {
  int threads = 0;  // 0: every processor this process may use
  WeightType weights = WeightType::f32;
  std::string kernels = environment::cpu_kernels();  // of cpu_kernel_names(); empty: the best
  StopToken stop{};  // looked at between the pieces that work is shared in; then Stopped is thrown
  /// Not null: every rank packs and computes a share, products by outputs and attention by heads;
  /// all make the same calls with the same values, and have all results. Outlives the backend.
  Communicator* ranks = nullptr;
};

/// The kernels that this processor can run, the best first: of avx512_bf16, avx512_vnni, avx512,
/// avx2_vnni, avx2 and plain on x86-64, of neon_bf16, neon_i8mm, neon_dotprod, neon and plain on
/// ARM64.
std::vector<std::string> cpu_kernel_names();

/// What some kernels do.
struct CpuCapabilities {
  ProcessorTraits instructions;  // that they are compiled for
  bool bf16_inputs = false;      // of products with bfloat16 weights; else float32
  bool bf16_attention = false;   // else float32
};
/// Throws Error for kernels that are unknown or that this processor cannot run.
CpuCapabilities cpu_capabilities(const std::string& kernels);

/// How WeightType::stored keeps a matrix of such elements, none of whose values changes.
WeightType exact_type(DType dtype);
/// What one of the weights takes then, scales included; `weights` needs no data.
double stored_bits(const HostMatrix& weights);

/// Vectorised kernels. Throws Error when the processor lacks what the weights or the kernels need
/// or the options make no sense.
std::unique_ptr<Backend> create_cpu_backend(const CpuOptions& options);

/// Backend::activation_type() and tile_rows() of the CUDA backend, for plans without one.
inline constexpr DType kCudaActivations = DType::bf16;
inline constexpr int kCudaTileRows = 8192;

struct CudaOptions {
  int threads = 0;  // of the host, which samples; 0: every processor this process may use
  CudaAttention attention = environment::cuda_attention();
  CudaSteps steps = environment::cuda_steps();
  bool tunes =
      environment::cuda_tunes();  // times what cuBLASLt offers, instead of its first choice
  /// The plug-in's file; empty: libunmask_cuda.so beside the program, or in the system's path.
  std::string plugin = environment::cuda_plugin();
  /// Not null: as of CpuOptions, each rank with a device of its own, whose memory NCCL reaches.
  Communicator* ranks = nullptr;
};

/// The first CUDA device, bfloat16 weights. The backend is a plug-in, a library of its own.
/// Throws Error where there is no plug-in, where it belongs to another build, without a device, and
/// where there are ranks without NCCL.
std::unique_ptr<Backend> create_cuda_backend(const CudaOptions& options);

/// Why create_cuda_backend() would find no device; empty where it would find one. Builds no
/// backend.
std::string missing_cuda_device(const CudaOptions& options);

/// Plain loops in double precision, one thread: the oracle of every kernel test.
std::unique_ptr<Backend> create_reference_backend();

}  // namespace unmask
