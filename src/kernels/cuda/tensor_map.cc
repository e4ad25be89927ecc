#include "kernels/cuda/tensor_map.h"

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"

namespace unmask::cuda {

namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

/// Asked of the runtime, so that nothing links against the driver's library.
Encode driver_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  const cudaError_t status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                              12000, cudaEnableDefault, &found);
  check(status, "cudaGetDriverEntryPointByVersion");
  if (found != cudaDriverEntryPointSuccess) {
    call_failed("cudaGetDriverEntryPointByVersion", "no cuTensorMapEncodeTiled; update the driver");
  }
  return reinterpret_cast<Encode>(function);
}

}  // namespace

void allow_shared_memory(const void* kernel, size_t bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        "cudaFuncSetAttribute (shared memory of a block)");
}

CUtensorMap encode(const TensorBoxes& boxes) {
  static const Encode function = driver_encode();
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(boxes.head_dim),
                              static_cast<cuuint64_t>(boxes.rows),
                              static_cast<cuuint64_t>(boxes.heads)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(boxes.stride) * sizeof(Bf16),
                                static_cast<cuuint64_t>(boxes.head_dim) * sizeof(Bf16)};
  const cuuint32_t box[] = {kBoxColumns, static_cast<cuuint32_t>(boxes.box_rows), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  CUtensorMap map;
  const CUresult status =
      function(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<Bf16*>(boxes.data), sizes,
               strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    call_failed("cuTensorMapEncodeTiled", "pointers and strides must be multiples of 16 bytes");
  }
  return map;
}

}  // namespace unmask::cuda
