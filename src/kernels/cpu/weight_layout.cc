#include "kernels/cpu/weight_layout.h"

#include <cstring>
#include <vector>

namespace unmask::cpu {

namespace {

constexpr int kPanel = 64;

const std::byte* row_of(const HostMatrix& weights, int row) {
  const auto bytes = static_cast<size_t>(weights.in) * dtype_bytes(weights.dtype);
  return static_cast<const std::byte*>(weights.data) + static_cast<size_t>(row) * bytes;
}

void pack_bf16(const HostMatrix& weights, Range outputs, int depth, std::byte* panel) {
  std::vector<uint16_t> row(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    to_bf16(row_of(weights, outputs.begin + c), weights.dtype, static_cast<size_t>(weights.in),
            row.data());
    for (int k = 0; k < depth; k += 2) {
      std::memcpy(panel + (int64_t{k} * kPanel + int64_t{c} * 2) * 2, &row[static_cast<size_t>(k)],
                  4);
    }
  }
}

}  // namespace

const WeightLayout kBf16Layout{
    .panel_columns = kPanel,
    .depth_step = 2,
    .panel_bytes = [](int depth) { return static_cast<size_t>(depth) * kPanel * 2; },
    .pack = pack_bf16,
};

}  // namespace unmask::cpu
