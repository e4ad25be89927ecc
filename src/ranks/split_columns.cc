#include "ranks/split_columns.h"

#include <algorithm>
#include <utility>

namespace unmask {

namespace {

const std::byte* address(Tensor t) { return static_cast<const std::byte*>(t.data); }

int64_t step_bytes(Tensor t) { return t.stride * static_cast<int64_t>(dtype_bytes(t.dtype)); }

/// Rows of the same width and distance.
bool are_alike(Tensor a, Tensor b) {
  return a.dtype == b.dtype && a.cols == b.cols && a.stride == b.stride;
}

/// True when `rows` are some whole rows of `all`.
bool has_rows(Tensor all, Tensor rows) {
  if (!are_alike(all, rows)) return false;
  const auto offset = address(rows) - address(all);
  const auto step = step_bytes(all);
  return offset >= 0 && offset % step == 0 && offset / step + rows.rows <= all.rows;
}

/// True when `second` begins where `first` ends.
bool goes_on(const CutColumns& first, const CutColumns& second) {
  const Tensor& m = first.matrix;
  return are_alike(m, second.matrix) && first.cut == second.cut &&
         address(m) + m.rows * step_bytes(m) == address(second.matrix);
}

}  // namespace

SplitColumns::Extent SplitColumns::extent_of(Tensor t) {
  if (t.rows == 0) return {address(t), address(t)};
  const auto last = static_cast<int64_t>(dense_bytes(1, t.cols, t.dtype));
  return {address(t), address(t) + (t.rows - 1) * step_bytes(t) + last};
}

std::optional<Cut> SplitColumns::cut(Tensor rows) const {
  if (rows.rows == 0) return std::nullopt;
  for (const CutColumns& part : parts_) {
    if (has_rows(part.matrix, rows)) return part.cut;
  }
  return std::nullopt;
}

bool SplitColumns::whole(Tensor t) const {
  const Extent extent = extent_of(t);
  return std::none_of(parts_.begin(), parts_.end(),
                      [&](const CutColumns& part) { return extent.meets(extent_of(part.matrix)); });
}

std::vector<CutColumns> SplitColumns::take(Extent extent) {
  std::vector<CutColumns> taken;
  std::vector<CutColumns> kept;
  for (const CutColumns& part : parts_) {
    const Tensor& m = part.matrix;
    if (!extent.meets(extent_of(m))) {
      kept.push_back(part);
      continue;
    }
    const auto row = [&](const std::byte* place, int64_t up) {
      const auto bytes = std::max<int64_t>(0, place - address(m));
      return static_cast<int>(std::min<int64_t>(m.rows, (bytes + up) / step_bytes(m)));
    };
    const int begin = row(extent.begin, 0);
    const int end = row(extent.end, step_bytes(m) - 1);
    const auto piece = [&](Range rows) { return CutColumns{m.slice(rows), part.cut}; };
    taken.push_back(piece({begin, end}));
    if (begin > 0) kept.push_back(piece({0, begin}));
    if (end < m.rows) kept.push_back(piece({end, m.rows}));
  }
  parts_ = std::move(kept);
  std::sort(taken.begin(), taken.end(), [](const CutColumns& a, const CutColumns& b) {
    return address(a.matrix) < address(b.matrix);
  });
  return taken;
}

void SplitColumns::mark(const CutColumns& part) {
  if (part.matrix.rows == 0) return;
  take(extent_of(part.matrix));
  const auto before = std::find_if(parts_.begin(), parts_.end(),
                                   [&](const CutColumns& p) { return goes_on(p, part); });
  if (before == parts_.end()) {
    parts_.push_back(part);
  } else {
    before->matrix.rows += part.matrix.rows;
  }
}

void SplitColumns::complete(Tensor t) {
  const std::vector<CutColumns> parts = take(extent_of(t));
  if (!parts.empty()) gather_.run(parts);
}

void SplitColumns::overwrite(Tensor t) {
  std::vector<CutColumns> parts = take(extent_of(t));
  std::erase_if(parts, [&](const CutColumns& part) { return has_rows(t, part.matrix); });
  if (!parts.empty()) gather_.run(parts);
}

void SplitColumns::forget(const void* data, size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(data);
  take({begin, begin + bytes});
}

}  // namespace unmask
