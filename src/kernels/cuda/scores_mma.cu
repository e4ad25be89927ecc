// Launches scores_mma.inc.
#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tile_mma.inc"
//
#include "kernels/cuda/flash_mma.inc"
//
#include "kernels/cuda/scores_mma.inc"

namespace unmask::cuda {

namespace {

constexpr int kMostThreads = kMaxTileRows / kWarpRows * 32;

template <int kHeadDim>
__global__ void __launch_bounds__(kMostThreads, 1)
    lse_mma_kernel(const __grid_constant__ MmaParams p) {
  flash_mma<kHeadDim, false>(p);
}

template <int kHeadDim>
__global__ void __launch_bounds__(kMostThreads, 1)
    block_sums_mma_kernel(const __grid_constant__ MmaParams pass,
                          const __grid_constant__ ScoreParams p,
                          const __grid_constant__ BlockSumParams own) {
  sum_blocks_mma<kHeadDim>(pass, p, own);
}

template <int kHeadDim>
void launch(const DeviceImportance& task, float* workspace, Stream stream) {
  const ScorePlan plan = score_plan(task, workspace);
  constexpr uint32_t kShared = ChunkMemory<kHeadDim>::kSharedBytes;
  allow_shared_memory(reinterpret_cast<const void*>(&lse_mma_kernel<kHeadDim>), kShared);
  for (const LseParams& own : {plan.over_all, plan.over_generation}) {
    if (own.lse == nullptr) continue;
    const MmaParams p = lse_pass(task, own);
    lse_mma_kernel<kHeadDim><<<mma_blocks(p), mma_threads(p), kShared, stream>>>(p);
    check(cudaGetLastError(), "lse_mma");
  }
  const MmaParams pass = block_pass(task);
  constexpr uint32_t kSumsShared = kShared + kBlockSumBytes;
  allow_shared_memory(reinterpret_cast<const void*>(&block_sums_mma_kernel<kHeadDim>), kSumsShared);
  block_sums_mma_kernel<kHeadDim><<<mma_blocks(pass), mma_threads(pass), kSumsShared, stream>>>(
      pass, score_params(task), plan.sums);
  check(cudaGetLastError(), "block_sums_mma");
}

}  // namespace

void launch_scores_mma(const DeviceImportance& task, float* workspace, Stream stream) {
  switch (task.head_dim) {
    case 32: return launch<32>(task, workspace, stream);
    case 64: return launch<64>(task, workspace, stream);
    case 96: return launch<96>(task, workspace, stream);
    default: return launch<128>(task, workspace, stream);
  }
}

}  // namespace unmask::cuda
