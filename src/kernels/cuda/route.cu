// Launches route.inc.
#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/route.inc"

namespace unmask::cuda {

namespace {

__global__ void __launch_bounds__(kRouteThreads)
    route_kernel(const __grid_constant__ DeviceRouting p) {
  route_rows(p);
}

}  // namespace

void launch_routing(const DeviceRouting& task, Stream stream) {
  route_kernel<<<(task.rows + kRouteRows - 1) / kRouteRows, kRouteThreads, 0, stream>>>(task);
  check(cudaGetLastError(), "route");
}

}  // namespace unmask::cuda
