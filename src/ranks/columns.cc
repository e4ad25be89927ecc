#include "ranks/columns.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace unmask {

namespace {

/// Calls use(bytes, count) for the rows of the columns that a rank has computed.
template <typename Use>
void each_row(const CutColumns& part, int rank, const Use& use) {
  const Tensor own = part.matrix.columns(part.cut.of(rank));
  const size_t width = dense_bytes(1, own.cols, own.dtype);
  const int64_t stride = own.stride * static_cast<int64_t>(dtype_bytes(own.dtype));
  if (width == 0) return;
  for (int r = 0; r < own.rows; ++r) use(static_cast<std::byte*>(own.data) + r * stride, width);
}

void grow(std::vector<std::byte>& memory, int64_t bytes) {
  const auto n = static_cast<size_t>(bytes);
  if (memory.size() < n) memory.resize(n);
}

}  // namespace

int Cut::begin(int rank) const {
  const int64_t units = (n_ + unit_ - 1) / unit_;
  return static_cast<int>(std::min<int64_t>(n_, (units * rank + ranks_ - 1) / ranks_ * unit_));
}

void ColumnGather::run(std::span<const CutColumns> matrices) {
  std::vector<int64_t> counts(static_cast<size_t>(ranks_.size()));
  for (int r = 0; r < ranks_.size(); ++r) {
    for (const CutColumns& m : matrices) {
      counts[static_cast<size_t>(r)] +=
          static_cast<int64_t>(dense_bytes(m.matrix.rows, m.cut.of(r).size(), m.matrix.dtype));
    }
  }
  grow(own_, counts[static_cast<size_t>(ranks_.rank())]);
  grow(all_, std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  std::byte* to = own_.data();
  for (const CutColumns& m : matrices) {
    each_row(m, ranks_.rank(),
             [&](const std::byte* row, size_t width) { to = std::copy_n(row, width, to); });
  }
  ranks_.gather(own_.data(), counts, all_.data());
  const std::byte* from = all_.data();
  for (int r = 0; r < ranks_.size(); ++r) {
    for (const CutColumns& m : matrices) {
      each_row(m, r, [&](std::byte* row, size_t width) {
        if (r != ranks_.rank()) std::memcpy(row, from, width);
        from += width;
      });
    }
  }
}

}  // namespace unmask
