// Launches scores_sm90.inc.
#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions_sm90.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/tensor_map.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/softmax.inc"
//
#include "kernels/cuda/tiles_sm90.inc"
//
#include "kernels/cuda/scores_sm90.inc"

namespace unmask::cuda {

namespace {

template <int kHeadDim>
__global__ void __launch_bounds__(kBlockThreads, 1)
    lse_sm90_kernel(const __grid_constant__ ScoreParams p, const __grid_constant__ LseParams own,
                    const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k) {
  measure_lse_sm90<kHeadDim>(p, own, q, k);
}

template <int kHeadDim>
__global__ void __launch_bounds__(kBlockThreads, 1)
    block_sums_sm90_kernel(const __grid_constant__ ScoreParams p,
                           const __grid_constant__ BlockSumParams own,
                           const __grid_constant__ TensorMap q,
                           const __grid_constant__ TensorMap k) {
  sum_blocks_sm90<kHeadDim>(p, own, q, k);
}

template <int kHeadDim>
void launch(const DeviceTraits& device, const DeviceImportance& task, float* workspace,
            Stream stream) {
  const ScoreParams p = score_params(task);
  const ScorePlan plan = score_plan(task, workspace);
  const ScoreBoxes boxes = score_boxes(task);
  const TensorMap q = encode(boxes.q);
  const TensorMap k = encode(boxes.k);
  const int blocks = std::min(p.n_blocks * p.n_heads, device.multiprocessors);
  constexpr uint32_t kShared = ScoresSm90<kHeadDim>::kSums;
  const auto measure = [&](const LseParams& own) {
    allow_shared_memory(reinterpret_cast<const void*>(&lse_sm90_kernel<kHeadDim>), kShared);
    lse_sm90_kernel<kHeadDim><<<blocks, kBlockThreads, kShared, stream>>>(p, own, q, k);
    check(cudaGetLastError(), "lse_sm90");
  };
  if (plan.over_all.lse != nullptr) measure(plan.over_all);
  measure(plan.over_generation);
  const uint32_t shared = kShared + block_sum_bytes(task);
  allow_shared_memory(reinterpret_cast<const void*>(&block_sums_sm90_kernel<kHeadDim>), shared);
  block_sums_sm90_kernel<kHeadDim><<<blocks, kBlockThreads, shared, stream>>>(p, plan.sums, q, k);
  check(cudaGetLastError(), "block_sums_sm90");
}

}  // namespace

void launch_scores_sm90(const DeviceTraits& device, const DeviceImportance& task, float* workspace,
                        Stream stream) {
  if (task.head_dim == 128) {
    launch<128>(device, task, workspace, stream);
  } else {
    launch<64>(device, task, workspace, stream);
  }
}

}  // namespace unmask::cuda
