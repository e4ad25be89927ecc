#include "kernels/cpu/column_gather.h"

#include <algorithm>

#include "kernels/cpu/reserve.h"

namespace unmask::cpu {

namespace {

int padded(const AttentionKernels& kernels, int n) {
  return ceil_div(n, kernels.panel) * kernels.panel;
}

int64_t packed_bytes(const AttentionKernels& kernels, int slots, int head_dim) {
  return int64_t{padded(kernels, slots)} * padded(kernels, head_dim) * kernels.element_bytes;
}

int64_t panel_bytes(const AttentionKernels& kernels, int head_dim) {
  return static_cast<int64_t>(dense_bytes(kernels.panel, head_dim, DType::f32));
}

}  // namespace

int64_t gathered_bytes(const AttentionKernels& kernels, int slots, int head_dim) {
  constexpr int64_t kLine = 64;
  const int64_t bytes = 2 * packed_bytes(kernels, slots, head_dim) + panel_bytes(kernels, head_dim);
  return (bytes + kLine - 1) / kLine * kLine;
}

PackedHead gather_head(const AttentionKernels& kernels, const KvView& head,
                       std::span<const uint16_t> slots, std::byte* room) {
  const int dim = head.k.cols;
  const int padded_dim = padded(kernels, dim);
  const auto n = static_cast<int>(slots.size());
  std::byte* const keys = room;
  std::byte* const values = keys + packed_bytes(kernels, n, dim);
  // The rows of one panel: they stay in the first cache until they are packed.
  auto* const rows = reinterpret_cast<float*>(values + packed_bytes(kernels, n, dim));
  for (int first = 0; first < n; first += kernels.panel) {
    const int count = std::min(n - first, kernels.panel);
    const int64_t at = int64_t{first} * padded_dim * kernels.element_bytes;
    const auto gather = [&](Tensor from) {
      for (int i = 0; i < count; ++i) {
        std::copy_n(from.f32(slots[static_cast<size_t>(first) + static_cast<size_t>(i)]), dim,
                    rows + i * dim);
      }
    };
    gather(head.k);
    kernels.pack_keys(rows, dim, count, dim, padded_dim, keys + at);
    gather(head.v);
    kernels.pack_values(rows, dim, count, dim, padded_dim, values + at);
  }
  return {keys, values, padded_dim};
}

}  // namespace unmask::cpu
