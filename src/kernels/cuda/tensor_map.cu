#include <cuda_runtime_api.h>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/tensor_map.h"

namespace unmask::cuda {

namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

/// Asked of the runtime, so that nothing links against the driver's library.
Encode driver_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  const cudaError_t status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                              12000, cudaEnableDefault, &found);
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess) {
    refuse("looking up cuTensorMapEncodeTiled",
           status != cudaSuccess ? status : cudaErrorSymbolNotFound);
  }
  return reinterpret_cast<Encode>(function);
}

}  // namespace

TensorMap encode(const TensorBoxes& boxes) {
  static const Encode function = driver_encode();
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(boxes.head_dim),
                              static_cast<cuuint64_t>(boxes.rows),
                              static_cast<cuuint64_t>(boxes.heads)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(boxes.stride) * sizeof(Bf16),
                                static_cast<cuuint64_t>(boxes.head_dim) * sizeof(Bf16)};
  const cuuint32_t box[] = {kBoxColumns, static_cast<cuuint32_t>(boxes.box_rows), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  TensorMap map;
  const CUresult status =
      function(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<Bf16*>(boxes.data), sizes,
               strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) refuse("describing a tensor to the copy engine", status);
  return map;
}

}  // namespace unmask::cuda
