#include "kernels/cuda/selection.h"

namespace unmask::cuda {

int list_stride(const DeviceSelection& t) {
  const int all = blocks_to_keep(t.n_blocks, t.select);
  if (!t.isolated) return all;
  const int first = t.first_generation_block;
  return std::min(all, first) + blocks_to_keep(t.n_blocks - first, t.select);
}

}  // namespace unmask::cuda
