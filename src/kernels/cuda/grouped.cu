// Launches grouped.inc.
#include "kernels/cuda/check.h"
#include "kernels/cuda/instructions.h"
#include "kernels/cuda/launch.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/grouped.inc"

namespace unmask::cuda {

namespace {

__global__ void __launch_bounds__(kGroupingThreads)
    group_kernel(const __grid_constant__ DeviceGrouping p) {
  group_choices(p);
}

// Two blocks of the largest tile share a multiprocessor, whose registers are 128 for each of 512
// threads.
template <int kRows, bool kGated>
__global__ void __launch_bounds__(group_threads(kRows), 2)
    grouped_kernel(const __grid_constant__ GroupedProduct p, int shares, int column_tiles) {
  multiply_groups<kRows, kGated>(p, shares, column_tiles);
}

template <int kRows, bool kGated>
void launch(const GroupedProduct& task, Stream stream) {
  constexpr uint32_t kShared = GroupMemory<kRows>::kSharedBytes;
  allow_shared_memory(reinterpret_cast<const void*>(&grouped_kernel<kRows, kGated>), kShared);
  grouped_kernel<kRows, kGated><<<group_blocks(task), group_threads(kRows), kShared, stream>>>(
      task, group_shares(task), group_tiles(task));
  check(cudaGetLastError(), "grouped product");
}

template <int kRows>
void launch(const GroupedProduct& task, Stream stream) {
  task.gated ? launch<kRows, true>(task, stream) : launch<kRows, false>(task, stream);
}

}  // namespace

void launch_grouping(const DeviceGrouping& task, Stream stream) {
  group_kernel<<<task.experts, kGroupingThreads, kGroupingBytes, stream>>>(task);
  check(cudaGetLastError(), "grouping");
}

void launch_grouped(const GroupedProduct& task, Stream stream) {
  switch (group_rows(task)) {
    case 16: return launch<16>(task, stream);
    case 64: return launch<64>(task, stream);
    default: return launch<128>(task, stream);
  }
}

}  // namespace unmask::cuda
