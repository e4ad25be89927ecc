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

Cut::Cut(int n, int unit, int ranks) {
  const int64_t units = (n + unit - 1) / unit;
  for (int64_t r = 1; r <= ranks; ++r) {
    ends_.push_back(static_cast<int>(std::min<int64_t>(n, (units * r + ranks - 1) / ranks * unit)));
  }
}

CutGroups::CutGroups(const Cut& columns, int size) : size_(size), pieces_(std::vector<int>{}) {
  std::vector<int> ends;
  for (int r = 0; r < columns.ranks(); ++r) {
    const Range own = columns.of(r);
    for (int begin = own.begin; begin < own.end; begin = columns_.back().end) {
      columns_.push_back({begin, std::min(own.end, (begin / size + 1) * size)});
    }
    ends.push_back(static_cast<int>(columns_.size()));
  }
  pieces_ = Cut(std::move(ends));
}

bool CutGroups::are_whole() const {
  const auto same = [&](Range a, Range b) { return a.begin / size_ == b.begin / size_; };
  return std::adjacent_find(columns_.begin(), columns_.end(), same) == columns_.end();
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
