// Panels seen from outside: written for files, and taken apart again.
#include "kernels/panels.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/block_layout.h"
#include "kernels/cpu/table.h"
#include "kernels/cpu/variants.h"
#include "kernels/cpu/weight_layout.h"

namespace unmask {

namespace cpu {

namespace {

const WeightLayout* layout_for(const HostMatrix& matrix) {
  if (matrix.format == WeightType::int8) return &kInt8Layout;
  if (matrix.format == WeightType::int4) return &kInt4Layout;
  if (matrix.format == WeightType::bf16) return &kBf16Layout;
  if (matrix.format == WeightType::f32) return &kF32Layout;
  return matrix.blocks ? &layout_of(*matrix.blocks) : nullptr;
}

const WeightLayout& known_layout(const HostMatrix& matrix) {
  const WeightLayout* layout = layout_for(matrix);
  UNMASK_CHECK(layout != nullptr, "a matrix whose type has panels");
  return *layout;
}

template <typename T>
T read_at(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void unpack_f32(const uint8_t* panel, int column, int n, float* to) {
  for (int k = 0; k < n; ++k) {
    to[k] = read_at<float>(panel + (int64_t{k} * kF32Layout.panel_columns + column) * 4);
  }
}

void unpack_bf16(const uint8_t* panel, int column, int n, float* to) {
  for (int k = 0; k < n; ++k) {
    const int64_t at = (int64_t{k / 2} * kBf16Layout.panel_columns + column) * 4 + k % 2 * 2;
    to_f32(reinterpret_cast<const std::byte*>(panel + at), DType::bf16, 1, to + k);
  }
}

void unpack_int8(const uint8_t* panel, int column, int depth, int n, float* to) {
  const int columns = kInt8Layout.panel_columns;
  const auto scale = read_at<float>(panel + int64_t{depth} * columns + int64_t{column} * 4);
  for (int k = 0; k < n; ++k) {
    const int64_t at = (int64_t{k / 4} * columns + column) * 4 + k % 4;
    to[k] = scale * static_cast<float>(panel[at] - kInt8Offset);
  }
}

/// Code `k` of a column of a group; see block_layout.h.
int code_at(const BlockLayout& layout, const uint8_t* codes, int column, int k) {
  const int quad = k / 4;
  const auto byte = [&](int row) { return codes[(row * kBlockColumns + column) * 4 + k % 4]; };
  if (layout.codes == Codes::bytes) return byte(quad);
  const int low = byte(quad / 2) >> (quad % 2 * 4) & 15;
  if (layout.codes == Codes::fives) return low | (byte(4) >> quad & 1) << 4;
  if (layout.codes == Codes::sixes) {
    return low | (byte(4 + quad / 4) >> (quad % 4 * 2) & 3) << 4;
  }
  return low;
}

/// What scales the elements of one column from `k` on, of a super-block.
struct GroupScale {
  float scale;
  float min;
};
GroupScale scale_at(const BlockLayout& layout, const uint8_t* super, const uint8_t* group,
                    int column, int k) {
  if (layout.scales != Scales::int8) {
    const uint8_t* own = group + layout.code_bytes();
    const float scale = layout.scales == Scales::f32
                            ? read_at<float>(own + 4 * column)
                            : f16_to_f32(read_at<uint16_t>(own + 2 * column));
    if (layout.mins == Mins::none) return {scale, 0};
    return {scale, f16_to_f32(read_at<uint16_t>(own + layout.scale_bytes() + 2 * column))};
  }
  const int g = k / layout.group;
  const auto whole = static_cast<float>(static_cast<int8_t>(super[g * kBlockColumns + column]));
  const uint8_t* pairs = super + layout.numbers();
  const uint8_t* halves = pairs + (layout.mins == Mins::none ? 0 : layout.numbers());
  const float scale = f16_to_f32(read_at<uint16_t>(halves + 2 * column)) * whole;
  if (layout.mins == Mins::none) return {scale, 0};
  const int pair = g / 2 * kBlockColumns + column;
  const auto min = static_cast<float>(pairs[2 * pair + g % 2]);
  return {scale, f16_to_f32(read_at<uint16_t>(halves + 2 * (kBlockColumns + column))) * min};
}

void unpack_blocks(const BlockLayout& layout, const uint8_t* panel, int column, int n, float* to) {
  const int8_t* levels = levels_of(layout.codes);
  for (int k = 0; k < n; ++k) {
    const uint8_t* super = panel + int64_t{k / kSuperBlock} * layout.super_bytes();
    const int inner = k % kSuperBlock;
    const uint8_t* group = super + layout.head_bytes() + inner / kBlockGroup * layout.group_bytes();
    const int code = code_at(layout, group, column, inner % kBlockGroup);
    const GroupScale s = scale_at(layout, super, group, column, inner);
    const int level = levels != nullptr ? levels[code] : code - layout.offset;
    to[k] = s.scale * static_cast<float>(level) - s.min;
  }
}

}  // namespace

void pack_panels(const WeightLayout& layout, const HostMatrix& weights, const KernelTable& table,
                 ThreadPool& pool, std::byte* to) {
  const int depth = layout.padded(weights.in);
  const size_t bytes = layout.panel_bytes(depth);
  pool.run(layout.panels(weights.out), [&](int panel, int) {
    const int first = panel * layout.panel_columns;
    layout.pack(weights, {first, std::min(first + layout.panel_columns, weights.out)}, depth, table,
                to + bytes * static_cast<size_t>(panel));
  });
}

}  // namespace cpu

std::optional<size_t> panels_bytes(const HostMatrix& matrix) {
  const cpu::WeightLayout* layout = cpu::layout_for(matrix);
  if (layout == nullptr) return std::nullopt;
  return layout->panel_bytes(layout->padded(matrix.in)) *
         static_cast<size_t>(layout->panels(matrix.out));
}

void pack_panels(const HostMatrix& matrix, ThreadPool& pool, std::byte* to) {
  cpu::pack_panels(cpu::known_layout(matrix), matrix, cpu::select_variant("").table(), pool, to);
}

void unpack_row(const HostMatrix& matrix, int r, float* to) {
  const cpu::WeightLayout& layout = cpu::known_layout(matrix);
  const int depth = layout.padded(matrix.in);
  const auto* panel = static_cast<const uint8_t*>(matrix.data) +
                      layout.panel_bytes(depth) * static_cast<size_t>(r / layout.panel_columns);
  const int column = r % layout.panel_columns;
  if (&layout == &cpu::kF32Layout) return cpu::unpack_f32(panel, column, matrix.in, to);
  if (&layout == &cpu::kBf16Layout) return cpu::unpack_bf16(panel, column, matrix.in, to);
  if (&layout == &cpu::kInt8Layout) return cpu::unpack_int8(panel, column, depth, matrix.in, to);
  const auto format = matrix.format == WeightType::int4 ? BlockFormat::q4_0 : *matrix.blocks;
  cpu::unpack_blocks(cpu::kBlockLayouts[static_cast<size_t>(format)], panel, column, matrix.in, to);
}

}  // namespace unmask
