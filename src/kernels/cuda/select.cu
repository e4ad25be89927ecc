// Launches select.inc.
#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/select.inc"

namespace unmask::cuda {

namespace {

__global__ void __launch_bounds__(kSelectThreads)
    select_kernel(const __grid_constant__ SelectParams p) {
  select_rows(p);
}

}  // namespace

void launch_select(const DeviceSelection& task, Stream stream) {
  const SelectParams p = select_params(task);
  select_kernel<<<(p.rows + kSelectRows - 1) / kSelectRows, kSelectThreads, 0, stream>>>(p);
  check(cudaGetLastError(), "select");
}

}  // namespace unmask::cuda
