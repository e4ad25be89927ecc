// Launches flash_mma.inc.
#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tile_mma.inc"
//
#include "kernels/cuda/flash_mma.inc"

namespace unmask::cuda {

namespace {

constexpr int kMostThreads = kMaxTileRows / kWarpRows * 32;

template <int kHeadDim>
__global__ void __launch_bounds__(kMostThreads, 1)
    flash_mma_kernel(const __grid_constant__ MmaParams p) {
  flash_mma<kHeadDim, true>(p);
}

template <int kHeadDim>
__global__ void __launch_bounds__(kCombineThreads)
    combine_kernel(const __grid_constant__ MmaParams p) {
  combine_parts<kHeadDim>(p);
}

template <int kHeadDim>
void launch(const MmaParams& p, Stream stream) {
  constexpr uint32_t kShared = ChunkMemory<kHeadDim>::kSharedBytes;
  allow_shared_memory(reinterpret_cast<const void*>(&flash_mma_kernel<kHeadDim>), kShared);
  flash_mma_kernel<kHeadDim><<<mma_blocks(p), mma_threads(p), kShared, stream>>>(p);
  check(cudaGetLastError(), "flash_mma");
  if (p.splits == 1) return;
  constexpr int kRows = kCombineThreads / 32;
  combine_kernel<kHeadDim><<<ceil_div(p.n_heads * p.rows, kRows), kCombineThreads, 0, stream>>>(p);
  check(cudaGetLastError(), "combine");
}

}  // namespace

void launch_flash_mma(const DeviceTraits& device, const DeviceAttention& task, float* workspace,
                      Stream stream) {
  MmaParams p = mma_params(device, task);
  place_parts(p, task.head_dim, workspace);
  switch (task.head_dim) {
    case 32: return launch<32>(p, stream);
    case 64: return launch<64>(p, stream);
    case 96: return launch<96>(p, stream);
    default: return launch<128>(p, stream);
  }
}

}  // namespace unmask::cuda
