// Our own products: weights in panels, panels and blocks of rows handed to the pool.
#include <algorithm>
#include <vector>

#include "core/host_arena.h"
#include "kernels/cpu/input_rows.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/weight_layout.h"

namespace unmask::cpu {

namespace {

// Up to here the rows' inputs, 512 KiB a depth block, stay in L2 (1 MiB on Zen 5) between panels.
constexpr int kRowsUnblocked = 256;
constexpr int kRowBlock = 128;        // beyond, rows go in blocks: 256 KiB of input a depth block
constexpr int kTasksPerThread = 8;    // the last thread to end is late by an eighth at most
constexpr int kMaxDepth = 131072;     // times 128 * 127 an int32 holds
constexpr int kMaxPanelsPerTask = 8;  // consecutive panels let a thread read its next one ahead

using Multiply = void (*)(const PanelProduct& product);

class PackedWeights final : public CpuMatrix {
 public:
  /// `arena`: where panels are made; null: the matrix lies in such, which stay where they are.
  PackedWeights(const HostMatrix& weights, const WeightLayout& layout, Multiply multiplies,
                Products& products, const KernelTable& table, ThreadPool& pool, HostArena* arena);
  size_t bytes() const override { return panel_bytes_ * static_cast<size_t>(panels_); }
  int depth() const { return depth_; }
  int panel_columns() const { return layout_.panel_columns; }
  void multiply(const PanelProduct& product) const { multiply_(product); }
  int panels() const { return panels_; }
  const std::byte* panel(int i) const { return data_ + static_cast<size_t>(i) * panel_bytes_; }

 private:
  const WeightLayout& layout_;
  Multiply multiply_;
  int depth_;
  int panels_;
  size_t panel_bytes_;
  Buffer storage_;  // empty where the panels lie in a file
  const std::byte* data_;
};

/// The backend gives products only what they have packed. Asked several times a panel: a dynamic
/// cast took 2 % of a pass over experts.
const PackedWeights& weights_of(const LinearMap& map) {
  return static_cast<const PackedWeights&>(*map.weights);
}

/// Panels of the same number, multiplied one after the other: of one map, or of all maps into the
/// same memory, which is then still in the cache when the next product meets it.
struct PanelGroup {
  std::span<const LinearMap> maps;
  int panel;
  Range rows;       // of x, at most as many as pass together
  int out_row = 0;  // where they go

  const std::byte* data(size_t map) const { return weights_of(maps[map]).panel(panel); }
};

/// The groups of maps that take the same rows, block of rows after block of rows.
void add_groups(std::span<const LinearMap> maps, Range rows, std::vector<PanelGroup>& groups) {
  const int blocks = rows.size() > kRowsUnblocked ? ceil_div(rows.size(), kRowBlock) : 1;
  for (int64_t b = 0; b < blocks; ++b) {
    const Range part{static_cast<int>(b * rows.size() / blocks),
                     static_cast<int>((b + 1) * rows.size() / blocks)};
    for (size_t begin = 0; begin < maps.size();) {
      size_t end = begin + 1;
      while (end < maps.size() && maps[end].out.data == maps[begin].out.data) ++end;
      const int panels = weights_of(maps[begin]).panels();
      for (int p = 0; p < panels; ++p) {
        groups.push_back({maps.subspan(begin, end - begin),
                          p,
                          {rows.begin + part.begin, rows.begin + part.end},
                          part.begin});
      }
      begin = end;
    }
  }
}

/// `rows` as Products::multiply has them, of an x of `all`.
std::vector<PanelGroup> group_panels(std::span<const LinearMap> maps, std::span<const Range> rows,
                                     int all) {
  std::vector<PanelGroup> groups;
  if (rows.empty()) {
    add_groups(maps, {0, all}, groups);
    return groups;
  }
  for (size_t begin = 0; begin < maps.size();) {
    size_t end = begin + 1;
    while (end < maps.size() && rows[end] == rows[begin]) ++end;
    add_groups(maps.subspan(begin, end - begin), rows[begin], groups);
    begin = end;
  }
  return groups;
}

class PackedProducts final : public LocalProducts {
 public:
  PackedProducts(WeightType weights, const KernelTable& table, ThreadPool& pool)
      : weights_(weights), table_(table), pool_(pool), inputs_(weights, table, pool) {}

  std::string_view name() const override;
  std::unique_ptr<CpuMatrix> pack(const HostMatrix& weights) override;
  InputRows& inputs() override { return inputs_; }
  void multiply_packed(const PackedRows& x, int n_rows, std::span<const LinearMap> maps,
                       std::span<const Range> rows) override;

 private:
  /// `after`: the panel that comes next; `sums`: where a thread keeps them.
  void multiply_group(const PackedRows& x, const PanelGroup& group, const std::byte* after,
                      float* sums) const;

  WeightType weights_;
  const KernelTable& table_;
  ThreadPool& pool_;
  HostArena arena_;  // of weights
  InputRows inputs_;
  Buffer sums_;  // scratch of every thread
};

PackedWeights::PackedWeights(const HostMatrix& weights, const WeightLayout& layout,
                             Multiply multiplies, Products& products, const KernelTable& table,
                             ThreadPool& pool, HostArena* arena)
    : CpuMatrix(weights, products),
      layout_(layout),
      multiply_(multiplies),
      depth_(layout.padded(weights.in)),
      panels_(layout.panels(weights.out)),
      panel_bytes_(layout.panel_bytes(depth_)) {
  if (arena == nullptr) {
    data_ = static_cast<const std::byte*>(weights.data);
    return;
  }
  storage_ = arena->allocate(bytes());
  data_ = static_cast<const std::byte*>(storage_.data());
  pack_panels(layout, weights, table, pool, static_cast<std::byte*>(storage_.data()));
}

std::string_view PackedProducts::name() const {
  switch (weights_) {
    case WeightType::f32: return "float32 packed";
    case WeightType::bf16: return "bfloat16 packed";
    case WeightType::int8: return "int8 packed";
    case WeightType::int4: return "int4 packed";
    default: return "blocks packed";
  }
}

std::unique_ptr<CpuMatrix> PackedProducts::pack(const HostMatrix& weights) {
  const bool is_ready =
      weights.in_panels && weights.format.value_or(WeightType::stored) == weights_;
  const auto packed = [&](const WeightLayout& layout, Multiply multiplies) {
    return std::make_unique<PackedWeights>(weights, layout, multiplies, *this, table_, pool_,
                                           is_ready ? nullptr : &arena_);
  };
  const auto of_blocks = [&](BlockFormat format) {
    return table_.block_products.of[static_cast<size_t>(format)];
  };
  switch (weights_) {
    case WeightType::f32: return packed(kF32Layout, table_.f32_product);
    case WeightType::bf16: return packed(kBf16Layout, table_.bf16_product);
    case WeightType::int4: return packed(kInt4Layout, of_blocks(BlockFormat::q4_0));
    case WeightType::int8: break;
    default:
      UNMASK_CHECK(weights.blocks, "packed blocks of a matrix without");
      return packed(layout_of(*weights.blocks), of_blocks(*weights.blocks));
  }
  if (weights.in > kMaxDepth) {
    fail(ErrorCode::weight_type,
         "[products] inputs of a matrix: found {}, expected at most {}: sums of int8 may overflow",
         weights.in, kMaxDepth);
  }
  return packed(kInt8Layout, table_.int8_product);
}

void PackedProducts::multiply_group(const PackedRows& x, const PanelGroup& group,
                                    const std::byte* after, float* sums) const {
  const int width = weights_of(group.maps.front()).panel_columns();
  const int column = group.panel * width;
  for (size_t m = 0; m < group.maps.size(); ++m) {
    const LinearMap& map = group.maps[m];
    const PackedWeights& weights = weights_of(map);
    weights.multiply({.x = rows_from(x, group.rows.begin),
                      .rows = group.rows.size(),
                      .depth = weights.depth(),
                      .panel = group.data(m),
                      .next = m + 1 < group.maps.size() ? group.data(m + 1) : after,
                      .columns = std::min(width, map.weights->out() - column),
                      .bias = map.bias ? map.bias.f32() + column : nullptr,
                      .into = map.into,
                      .out = map.out.f32(group.out_row) + column,
                      .out_stride = map.out.stride,
                      .sums = sums});
  }
}

void PackedProducts::multiply_packed(const PackedRows& x, int n_rows,
                                     std::span<const LinearMap> maps, std::span<const Range> rows) {
  const std::vector<PanelGroup> groups = group_panels(maps, rows, n_rows);
  const auto n_groups = static_cast<int>(groups.size());
  const int tasks_wanted = kTasksPerThread * pool_.threads();
  const int run = std::clamp(n_groups / tasks_wanted, 1, kMaxPanelsPerTask);
  const int64_t sums =
      int64_t{std::min(n_rows, kRowsUnblocked)} * weights_of(maps.front()).panel_columns();
  float* scratch = reserve(sums_, sums * pool_.threads());
  pool_.run(ceil_div(n_groups, run), [&](int task, int worker) {
    for (int g = task * run; g < std::min((task + 1) * run, n_groups); ++g) {
      const auto at = static_cast<size_t>(g);
      multiply_group(x, groups[at], groups[std::min(at + 1, groups.size() - 1)].data(0),
                     scratch + worker * sums);
    }
  });
}

}  // namespace

void LocalProducts::multiply(Tensor x, std::span<const LinearMap> maps,
                             std::span<const Range> rows) {
  multiply_packed(inputs().pack(x), x.rows, maps, rows);
}

std::unique_ptr<LocalProducts> create_packed_products(WeightType weights, const KernelTable& table,
                                                      ThreadPool& pool) {
  return std::make_unique<PackedProducts>(weights, table, pool);
}

}  // namespace unmask::cpu
