#include "kernels/split.h"

#include <algorithm>
#include <numeric>

#include "kernels/panels.h"

namespace unmask {

namespace {

constexpr int kPanel = 64;  // columns of every layout

size_t bytes_of_rows(const HostMatrix& matrix, int rows) {
  HostMatrix first = matrix;
  first.out = rows;
  if (matrix.in_panels) {
    const auto bytes = panels_bytes(first);
    UNMASK_CHECK(bytes.has_value(), "a matrix in panels of a known layout");
    return *bytes;
  }
  const int64_t stride = matrix.stride == 0 ? matrix.in : matrix.stride;
  const auto elements = static_cast<size_t>(stride * rows);
  return matrix.blocks ? block_bytes(*matrix.blocks, elements)
                       : elements * dtype_bytes(matrix.dtype);
}

}  // namespace

Cut cut_outputs(const HostMatrix& matrix, int ranks) {
  const bool by_panels = matrix.in_panels || matrix.out >= kPanel * ranks;
  const int heads = std::max(1, matrix.interleaved);
  return {matrix.out, std::lcm(by_panels ? kPanel : 1, heads), ranks};
}

HostMatrix part_of(const HostMatrix& matrix, Range outputs) {
  UNMASK_CHECK(matrix.interleaved == 0 || outputs.begin % matrix.interleaved == 0,
               "a part of whole heads");
  UNMASK_CHECK(!matrix.in_panels || outputs.begin % kPanel == 0 || outputs.size() == 0,
               "a part of whole panels");
  HostMatrix part = matrix;
  part.out = outputs.size();
  if (matrix.data != nullptr && part.out > 0) {
    part.data = static_cast<const std::byte*>(matrix.data) + bytes_of_rows(matrix, outputs.begin);
  }
  return part;
}

}  // namespace unmask
