#include "kernels/cuda/device_gather.h"

#include <numeric>
#include <vector>

#include "kernels/cuda/cell_work.h"
#include "kernels/cuda/tensor_view.h"

namespace unmask::cuda {

namespace {

/// Of a rank's columns where they travel; every matrix begins as kernels want it.
int64_t travelling_bytes(const CutColumns& m, int rank) {
  const auto bytes =
      static_cast<int64_t>(dense_bytes(m.matrix.rows, m.cut.of(rank).size(), m.matrix.dtype));
  return (bytes + kAlignedBytes - 1) / kAlignedBytes * kAlignedBytes;
}

}  // namespace

void DeviceGather::copy(std::span<const CutColumns> matrices, int rank, std::byte* dense, Way way) {
  for (const CutColumns& m : matrices) {
    const Range columns = m.cut.of(rank);
    const int rows = m.matrix.rows;
    const int width = columns.size();
    if (width > 0 && rows > 0) {
      const View whole = view(m.matrix).from_column(columns.begin);
      const View apart{dense, width, whole.narrow};
      const bool leaves = way == Way::out;
      launch(CopyParts{rows, width, leaves ? whole : apart, nullptr, leaves ? apart : whole, width,
                       width},
             device_.stream());
    }
    dense += travelling_bytes(m, rank);
  }
}

void DeviceGather::run(std::span<const CutColumns> matrices) {
  std::vector<int64_t> counts(static_cast<size_t>(ranks_->size()));
  for (int r = 0; r < ranks_->size(); ++r) {
    for (const CutColumns& m : matrices) counts[static_cast<size_t>(r)] += travelling_bytes(m, r);
  }
  const auto own_bytes = static_cast<size_t>(counts[static_cast<size_t>(ranks_->rank())]);
  auto* own = own_.fit<std::byte>(own_bytes);
  const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  auto* all = all_.fit<std::byte>(static_cast<size_t>(total));
  copy(matrices, ranks_->rank(), own, Way::out);
  ranks_->gather(own, counts, all);
  for (int r = 0; r < ranks_->size(); all += counts[static_cast<size_t>(r++)]) {
    if (r != ranks_->rank()) copy(matrices, r, all, Way::in);
  }
}

}  // namespace unmask::cuda
