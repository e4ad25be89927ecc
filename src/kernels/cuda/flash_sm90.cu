// Launches flash_sm90.inc.
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
#include "kernels/cuda/flash_sm90.inc"

namespace unmask::cuda {

namespace {

template <int kHeadDim>
__global__ void __launch_bounds__(kBlockThreads, 1)
    flash_sm90_kernel(const __grid_constant__ FlashParams p, const __grid_constant__ TensorMap q,
                      const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                      const __grid_constant__ TensorMap out) {
  flash_sm90<kHeadDim>(p, q, k, v, out);
}

template <int kHeadDim>
void launch(const DeviceTraits& device, const DeviceAttention& task, Stream stream) {
  constexpr uint32_t kShared = FlashSm90<kHeadDim>::kSharedBytes;
  allow_shared_memory(reinterpret_cast<const void*>(&flash_sm90_kernel<kHeadDim>), kShared);
  const FlashParams p = flash_params(task);
  const FlashBoxes boxes = flash_boxes(task);
  const int blocks = std::min(p.query_tiles * p.n_heads, device.multiprocessors);
  flash_sm90_kernel<kHeadDim><<<blocks, kBlockThreads, kShared, stream>>>(
      p, encode(boxes.q), encode(boxes.k), encode(boxes.v), encode(boxes.out));
  check(cudaGetLastError(), "flash_sm90");
}

}  // namespace

void launch_flash_sm90(const DeviceTraits& device, const DeviceAttention& task, Stream stream) {
  if (task.head_dim == 128) {
    launch<128>(device, task, stream);
  } else {
    launch<64>(device, task, stream);
  }
}

}  // namespace unmask::cuda
