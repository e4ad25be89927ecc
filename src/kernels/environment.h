// Defaults of the backends' options from environment variables, the one place of the kernels that
// reads any. Each function throws Error for a value that it does not know.
#pragma once

#include <cstdint>
#include <string>

namespace unmask {

/// Who computes full attention on a CUDA device.
enum class CudaAttention : uint8_t { own, cudnn };

/// How the steps of a series reach a CUDA device: recorded as a graph, queued one by one, or each
/// led by the host.
enum class CudaSteps : uint8_t { graph, queue, host };

}  // namespace unmask

namespace unmask::environment {

std::string cpu_kernels();       // UNMASK_ISA: a name, or empty for the best
std::string cuda_plugin();       // UNMASK_CUDA_PLUGIN: a file, or empty for the one beside unmask
CudaAttention cuda_attention();  // UNMASK_CUDA_ATTENTION: own (default) or cudnn
CudaSteps cuda_steps();          // UNMASK_CUDA_STEPS: graph (default), queue or host
bool cuda_tunes();               // UNMASK_CUDA_TUNE: on (default) or off

}  // namespace unmask::environment
