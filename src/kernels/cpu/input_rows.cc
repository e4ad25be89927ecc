#include "kernels/cpu/input_rows.h"

#include <algorithm>
#include <array>

#include "kernels/cpu/each_row.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/weight_layout.h"

namespace unmask::cpu {

namespace {

static_assert(kInputBlock == kSuperBlock, "what shares a scale is a block of the kernels");

/// Bytes between packed rows. One line more than needed: rows a power of two apart would fall into
/// the same cache sets.
int64_t row_stride(int64_t bytes) { return (bytes + 63) / 64 * 64 + 64; }

/// Gives all pieces of a group its largest magnitude. One that is no number stays, as in a row.
void join_groups(const CutGroups& groups, float* largest) {
  const int n = groups.pieces().total();
  for (int begin = 0, end = 0; begin < n; begin = end) {
    float most = largest[begin];
    for (end = begin + 1; end < n && groups.group(end) == groups.group(begin); ++end) {
      if (!(largest[end] <= most) && most == most) most = largest[end];
    }
    std::fill(largest + begin, largest + end, most);
  }
}

}  // namespace

InputRows::InputRows(WeightType weights, const KernelTable& table, ThreadPool& pool)
    : weights_(weights),
      form_(input_form(weights, table.bf16_inputs)),
      table_(table),
      pool_(pool) {}

PackedRows InputRows::pack(Tensor x) {
  switch (form_) {
    case InputForm::plain: return copy(x);
    case InputForm::bf16: return narrow(x);
    case InputForm::int8: return quantize(x);
    default: return quantize_blocks(x);
  }
}

PackedRows InputRows::gather(const CutColumns& x, ColumnGather& ranks) {
  UNMASK_CHECK(form_ != InputForm::plain, "rows that are packed to travel");
  return form_ == InputForm::bf16 ? gather_narrow(x, ranks) : gather_quantized(x, ranks);
}

/// The depth of packed weights; of blocks, whose weights may differ in it, whole super-blocks.
int InputRows::padded(int columns) const {
  switch (weights_) {
    case WeightType::f32: return kF32Layout.padded(columns);
    case WeightType::bf16: return kBf16Layout.padded(columns);
    case WeightType::int8: return kInt8Layout.padded(columns);
    default: return ceil_div(columns, kSuperBlock) * kSuperBlock;
  }
}

InputRows::Room InputRows::room(int rows, int64_t bytes) {
  const int64_t stride = row_stride(bytes);
  return {reserve_bytes(values_, stride * rows), stride};
}

/// Apart from each other as others are, and zero up to the padded depth.
PackedRows InputRows::copy(Tensor x) {
  const int depth = padded(x.cols);
  const Room to = room(x.rows, int64_t{depth} * int64_t{sizeof(float)});
  each_row(pool_, x.rows, [&](int r) {
    auto* row = reinterpret_cast<float*>(to.values + r * to.stride);
    std::copy_n(x.f32(r), x.cols, row);
    std::fill(row + x.cols, row + depth, 0.0F);
  });
  return {.values = to.values, .stride = to.stride};
}

PackedRows InputRows::narrow(Tensor x) {
  const int depth = padded(x.cols);
  const Room to = room(x.rows, int64_t{depth} * 2);
  each_row(pool_, x.rows, [&](int r) {
    auto* row = reinterpret_cast<uint16_t*>(to.values + r * to.stride);
    table_.to_bf16(x.f32(r), x.cols, row);
    std::fill(row + x.cols, row + depth, uint16_t{0});
  });
  return {.values = to.values, .stride = to.stride};
}

PackedRows InputRows::quantize(Tensor x) {
  const int depth = padded(x.cols);
  const Room to = room(x.rows, depth);
  float* scales = reserve(scales_, x.rows);
  auto* starts = reinterpret_cast<int32_t*>(reserve_bytes(starts_, int64_t{4} * x.rows));
  each_row(pool_, x.rows, [&](int r) {
    auto* row = reinterpret_cast<int8_t*>(to.values + r * to.stride);
    table_.quantize_row(x.f32(r), x.cols, row, scales + r, starts + r);
    std::fill(row + x.cols, row + depth, int8_t{0});
  });
  return {.values = to.values, .stride = to.stride, .scales = scales, .starts = starts};
}

PackedRows InputRows::quantize_blocks(Tensor x) {
  const int n_blocks = padded(x.cols) / kSuperBlock;
  const Room to = room(x.rows, padded(x.cols));
  const int64_t bytes = int64_t{n_blocks} * x.rows * int64_t{sizeof(InputBlock)};
  auto* blocks = reinterpret_cast<InputBlock*>(reserve_bytes(blocks_, bytes));
  each_row(pool_, x.rows, [&](int r) {
    table_.quantize_blocks(x.f32(r), x.cols, reinterpret_cast<int8_t*>(to.values + r * to.stride),
                           blocks + int64_t{r} * n_blocks);
  });
  return {.values = to.values, .stride = to.stride, .blocks = blocks, .n_blocks = n_blocks};
}

PackedRows InputRows::gather_narrow(const CutColumns& x, ColumnGather& ranks) {
  const Tensor& all = x.matrix;
  const int depth = padded(all.cols);
  const Range own = x.cut.of(ranks.ranks().rank());
  const Room to = room(all.rows, int64_t{depth} * 2);
  each_row(pool_, all.rows, [&](int r) {
    auto* row = reinterpret_cast<uint16_t*>(to.values + r * to.stride);
    table_.to_bf16(all.f32(r) + own.begin, own.size(), row + own.begin);
    std::fill(row + all.cols, row + depth, uint16_t{0});
  });
  const CutColumns values{{to.values, DType::bf16, all.rows, all.cols, to.stride / 2}, x.cut};
  ranks.run({&values, 1});
  return {.values = to.values, .stride = to.stride};
}

/// A scale is that of all its columns, so where several ranks have some of them they need each
/// other's largest magnitude first: a maximum is exact in any order.
PackedRows InputRows::gather_quantized(const CutColumns& x, ColumnGather& ranks) {
  const Tensor& all = x.matrix;
  const CutGroups groups = scale_groups(form_, x.cut);
  const int pieces = groups.pieces().total();
  const Range own = groups.pieces().of(ranks.ranks().rank());
  const int depth = padded(all.cols);
  const Room to = room(all.rows, depth);
  float* largest = reserve(largest_, int64_t{all.rows} * pieces);
  const CutColumns maxima{{largest, DType::f32, all.rows, pieces, pieces}, groups.pieces()};
  const CutColumns values{{to.values, DType::u8, all.rows, all.cols, to.stride}, x.cut};
  each_row(pool_, all.rows, [&](int r) {
    for (int p = own.begin; p < own.end; ++p) {
      const Range columns = groups.columns(p);
      largest[int64_t{r} * pieces + p] =
          table_.quantize_parts.largest_magnitude(all.f32(r) + columns.begin, columns.size());
    }
  });
  if (!groups.are_whole()) {
    ranks.run({&maxima, 1});
    for (int r = 0; r < all.rows; ++r) join_groups(groups, largest + int64_t{r} * pieces);
  }
  each_row(pool_, all.rows, [&](int r) {
    auto* row = reinterpret_cast<int8_t*>(to.values + r * to.stride);
    for (int p = own.begin; p < own.end; ++p) {
      const Range columns = groups.columns(p);
      table_.quantize_parts.quantize(all.f32(r) + columns.begin, columns.size(),
                                     largest[int64_t{r} * pieces + p], row + columns.begin);
    }
    std::fill(row + all.cols, row + depth, int8_t{0});
  });
  const std::array both{maxima, values};
  ranks.run(std::span(both).subspan(groups.are_whole() ? 0 : 1));
  return finish(to, all, groups, largest);
}

PackedRows InputRows::finish(const Room& values, Tensor x, const CutGroups& groups,
                             const float* largest) {
  const int pieces = groups.pieces().total();
  const QuantizeParts& parts = table_.quantize_parts;
  PackedRows packed{.values = values.values, .stride = values.stride};
  const auto row = [&](int r) {
    return reinterpret_cast<const int8_t*>(values.values + r * values.stride);
  };
  if (form_ == InputForm::int8) {
    float* scales = reserve(scales_, x.rows);
    auto* starts = reinterpret_cast<int32_t*>(reserve_bytes(starts_, int64_t{4} * x.rows));
    each_row(pool_, x.rows, [&](int r) {
      scales[r] = largest[int64_t{r} * pieces] / 127.0F;
      starts[r] = -kInt8Offset * parts.sum_row(row(r), x.cols);
    });
    packed.scales = scales;
    packed.starts = starts;
    return packed;
  }
  packed.n_blocks = padded(x.cols) / kSuperBlock;
  const int64_t bytes = int64_t{packed.n_blocks} * x.rows * int64_t{sizeof(InputBlock)};
  auto* blocks = reinterpret_cast<InputBlock*>(reserve_bytes(blocks_, bytes));
  each_row(pool_, x.rows, [&](int r) {
    InputBlock* of_row = blocks + int64_t{r} * packed.n_blocks;
    for (int p = 0; p < pieces; ++p) {
      of_row[groups.group(p)].scale = largest[int64_t{r} * pieces + p] / 127.0F;
    }
    for (int b = 0; b < packed.n_blocks; ++b) {
      parts.sum_block(row(r) + int64_t{b} * kSuperBlock, of_row + b);
    }
  });
  packed.blocks = blocks;
  return packed;
}

}  // namespace unmask::cpu
