#include "kernels/host_matrix.h"

#include <vector>

#include "core/error.h"

namespace unmask {

const std::byte* HostMatrix::row(int r) const {
  UNMASK_CHECK(!in_panels, "panels have no rows");
  int64_t stored = r;
  if (interleaved != 0) {
    UNMASK_CHECK(interleaved % 2 == 0 && out % interleaved == 0, "rows of interleaved heads");
    const int in_head = r % interleaved;
    const int half = interleaved / 2;
    stored = r - in_head + int64_t{2} * (in_head % half) + in_head / half;
  }
  const auto elements = static_cast<size_t>((stride == 0 ? in : stride) * stored);
  return static_cast<const std::byte*>(data) +
         (blocks ? block_bytes(*blocks, elements) : elements * dtype_bytes(dtype));
}

void HostMatrix::widen_row(int r, float* to) const {
  const auto n = static_cast<size_t>(in);
  if (blocks) return dequantize(*blocks, row(r), n, to);
  to_f32(row(r), dtype, n, to);
}

void HostMatrix::narrow_row(int r, uint16_t* to) const {
  const auto n = static_cast<size_t>(in);
  if (!blocks) return to_bf16(row(r), dtype, n, to);
  std::vector<float> wide(n);
  widen_row(r, wide.data());
  to_bf16(wide.data(), DType::f32, n, to);
}

}  // namespace unmask
