#include "kernels/cpu/weight_layout.h"

#include <cstring>
#include <vector>

namespace unmask::cpu {

namespace {

constexpr int kPanel = 64;

void pack_f32(const HostMatrix& weights, Range outputs, int depth, const KernelTable& /*table*/,
              std::byte* panel) {
  auto* to = reinterpret_cast<float*>(panel);
  std::vector<float> row(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.widen_row(outputs.begin + c, row.data());
    for (int k = 0; k < depth; ++k) to[int64_t{k} * kPanel + c] = row[static_cast<size_t>(k)];
  }
}

void pack_bf16(const HostMatrix& weights, Range outputs, int depth, const KernelTable& /*table*/,
               std::byte* panel) {
  std::vector<uint16_t> row(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.narrow_row(outputs.begin + c, row.data());
    for (int k = 0; k < depth; k += 2) {
      std::memcpy(panel + (int64_t{k} * kPanel + int64_t{c} * 2) * 2, &row[static_cast<size_t>(k)],
                  4);
    }
  }
}

void pack_int8(const HostMatrix& weights, Range outputs, int depth, const KernelTable& table,
               std::byte* panel) {
  auto* bytes = reinterpret_cast<uint8_t*>(panel);
  std::memset(bytes, kInt8Offset, static_cast<size_t>(depth) * kPanel);
  std::vector<float> row(static_cast<size_t>(depth));
  std::vector<int8_t> values(static_cast<size_t>(depth));
  for (int c = 0; c < outputs.size(); ++c) {
    weights.widen_row(outputs.begin + c, row.data());
    for (float& v : row) v = v == v ? v : 0;  // what is no number cannot be rounded
    float scale;
    int32_t start;  // of no use here
    table.quantize_row(row.data(), weights.in, values.data(), &scale, &start);
    std::memcpy(bytes + static_cast<int64_t>(depth) * kPanel + int64_t{c} * 4, &scale,
                sizeof scale);
    for (int k = 0; k < depth; k += 4) {
      uint32_t quad;
      std::memcpy(&quad, &values[static_cast<size_t>(k)], sizeof quad);
      quad ^= 0x80808080;  // each plus 128
      std::memcpy(bytes + int64_t{k} * kPanel + int64_t{c} * 4, &quad, sizeof quad);
    }
  }
}

}  // namespace

const WeightLayout kF32Layout{
    .panel_columns = kPanel,
    .depth_step = 2,
    .panel_bytes = [](int depth) { return static_cast<size_t>(depth) * kPanel * sizeof(float); },
    .pack = pack_f32,
};

const WeightLayout kBf16Layout{
    .panel_columns = kPanel,
    .depth_step = 2,
    .panel_bytes = [](int depth) { return static_cast<size_t>(depth) * kPanel * 2; },
    .pack = pack_bf16,
};

const WeightLayout kInt8Layout{
    .panel_columns = kPanel,
    .depth_step = 4,
    .panel_bytes = [](int depth) { return (static_cast<size_t>(depth) + sizeof(float)) * kPanel; },
    .pack = pack_int8,
};

}  // namespace unmask::cpu
