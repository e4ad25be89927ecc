#include "kernels/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/check_attention.h"

namespace unmask::cpu {

namespace {

constexpr int kPackHeads = 8;       // heads of a panel packed by one task: rows are read in runs
constexpr int kTilesPerThread = 2;  // at least, so that uneven tiles leave no thread idle for long
constexpr int kFewestRows = 8;      // of a tile: those of one micro-kernel

/// Appends the panels of some slots; slots of the panel listed last join it.
void see(Range slots, int panel, std::vector<SeenPanel>& list) {
  for (int s = slots.begin; s < slots.end;) {
    const int first = s / panel * panel;
    const int end = std::min(slots.end, first + panel);
    const uint32_t bits = (~0U >> (32 - (end - s))) << (s - first);
    if (!list.empty() && list.back().first == first) {
      list.back().seen |= bits;
    } else {
      list.push_back({first, bits});
    }
    s = end;
  }
}

/// Rows of the tiles of a task, up to `limit` each. With a pattern a tile's rows are of one query
/// block, with key ends they have the same; when importance is measured a tile is whole query
/// blocks, so that no two tiles add to one sum.
std::vector<Range> cut_tiles(const AttentionTask& task, int limit) {
  if (task.importance != nullptr) {
    const int block = task.importance->block_size;
    limit = std::max(1, limit / block) * block;
  }
  const auto kind_of = [&](int row) {
    const auto i = static_cast<size_t>(row);
    if (task.pattern != nullptr) return task.positions[i] / task.pattern->block_size();
    return task.key_ends.empty() ? 0 : task.key_ends[i];
  };
  std::vector<Range> tiles;
  for (int begin = 0; begin < task.q.rows;) {
    const int limited = std::min(task.q.rows, begin + limit);
    int end = begin + 1;
    while (end < limited && kind_of(end) == kind_of(begin)) ++end;
    tiles.push_back({begin, end});
    begin = end;
  }
  return tiles;
}

int longest(std::span<const Range> tiles) {
  int rows = 0;
  for (const Range& tile : tiles) rows = std::max(rows, tile.size());
  return rows;
}

/// All slots, those of the generation first when importance is measured.
struct DensePanels {
  std::vector<SeenPanel> panels;
  int generation = 0;
};

DensePanels dense_panels(const AttentionTask& task, int panel) {
  DensePanels dense;
  const int slots = task.kv.k.rows;
  const int border = task.importance == nullptr
                         ? 0
                         : task.importance->first_generation_block * task.importance->block_size;
  see({border, slots}, panel, dense.panels);
  dense.generation = static_cast<int>(dense.panels.size());
  std::vector<SeenPanel> prompt;
  see({0, border}, panel, prompt);
  dense.panels.insert(dense.panels.end(), prompt.begin(), prompt.end());
  return dense;
}

/// The panels that the tile beginning with `row` sees, where a pattern or key ends hide some.
void list_panels(const AttentionTask& task, int head, int row, int panel,
                 std::vector<SeenPanel>& list) {
  list.clear();
  if (task.pattern == nullptr) {
    see({0, task.key_ends[static_cast<size_t>(row)]}, panel, list);
    return;
  }
  const int size = task.pattern->block_size();
  const int query_block = task.positions[static_cast<size_t>(row)] / size;
  for (const int block : task.pattern->list(head, query_block)) {
    see({block * size, std::min(task.kv.k.rows, (block + 1) * size)}, panel, list);
  }
}

/// First slots of the panels with slots that are not fresh, or of all where their number changed.
std::vector<int> stale_panels(const std::vector<bool>& fresh, int slots, int panel) {
  const bool known = static_cast<int>(fresh.size()) == slots;
  std::vector<int> stale;
  for (int first = 0; first < slots; first += panel) {
    bool whole = known;
    for (int s = first; whole && s < std::min(slots, first + panel); ++s) {
      whole = fresh[static_cast<size_t>(s)];
    }
    if (!whole) stale.push_back(first);
  }
  return stale;
}

/// Where the tile that begins with `row` adds its importance.
ImportanceTile measure_tile(BlockImportance& importance, int head, int row) {
  const int blocks = importance.n_blocks;
  const auto first = static_cast<size_t>(head) * static_cast<size_t>(blocks) +
                     static_cast<size_t>(row / importance.block_size);
  const auto own = static_cast<size_t>(importance.generation_blocks());
  return {.block_size = importance.block_size,
          .n_blocks = blocks,
          .first_generation_block = importance.first_generation_block,
          .generation_panels = 0,
          .power = 1,
          .all = importance.all.data() + first * static_cast<size_t>(blocks),
          .generation = importance.generation.data() + first * own,
          .scratch = nullptr};
}

}  // namespace

void Attention::run(const AttentionTask& task, const HeadShape& shape) {
  if (task.q.rows == 0) return;
  check_attention(task, shape);
  if (task.importance != nullptr) task.importance->reset(shape.n_heads, task.kv.k.rows);
  run_tiles(task, shape, pack(task, shape));
}

Attention::Packed Attention::pack(const AttentionTask& task, const HeadShape& shape) {
  const int slots = task.kv.k.rows;
  const int panel = kernels_.panel;
  const int padded_dim = (shape.head_dim + panel - 1) / panel * panel;
  const int64_t slot_bytes = int64_t{padded_dim} * kernels_.element_bytes;
  const int64_t head_bytes = (slots + panel - 1) / panel * panel * slot_bytes;
  const int64_t bytes = head_bytes * shape.n_kv_heads;
  PackedKv& to = task.kv.packed == nullptr ? passing_ : *task.kv.packed;
  if (&to == &passing_ || static_cast<int64_t>(to.keys.bytes()) < bytes) to.forget();
  const Packed packed{reserve_bytes(to.keys, bytes), reserve_bytes(to.values, bytes), head_bytes,
                      padded_dim};
  const std::vector<int> stale = stale_panels(to.fresh, slots, panel);
  const int groups = (shape.n_kv_heads + kPackHeads - 1) / kPackHeads;
  pool_.run(static_cast<int>(stale.size()) * groups, [&](int i, int) {
    const int first = stale[static_cast<size_t>(i / groups)];
    const Range part{first, std::min(slots, first + panel)};
    const int begin = i % groups * kPackHeads;
    for (int head = begin; head < std::min(shape.n_kv_heads, begin + kPackHeads); ++head) {
      const Range columns{head * shape.head_dim, (head + 1) * shape.head_dim};
      const Tensor k = task.kv.k.slice(part).columns(columns);
      const Tensor v = task.kv.v.slice(part).columns(columns);
      const int64_t at = head * head_bytes + first * slot_bytes;
      kernels_.pack_keys(k.f32(), k.stride, k.rows, k.cols, padded_dim, packed.keys + at);
      kernels_.pack_values(v.f32(), v.stride, v.rows, v.cols, padded_dim, packed.values + at);
    }
  });
  to.fresh.assign(static_cast<size_t>(slots), true);
  return packed;
}

int Attention::rows_per_tile(int rows, int n_heads) const {
  int limit = kernels_.tile_rows;
  const int enough = kTilesPerThread * pool_.threads();
  while (limit > kFewestRows && (rows + limit - 1) / limit * n_heads < enough) limit /= 2;
  return limit;
}

void Attention::run_tiles(const AttentionTask& task, const HeadShape& shape, const Packed& packed) {
  const int dim = shape.head_dim;
  const std::vector<Range> tiles = cut_tiles(task, rows_per_tile(task.q.rows, shape.n_heads));
  const DensePanels dense = dense_panels(task, kernels_.panel);
  const int most_rows = longest(tiles);
  const int own_floats = kernels_.scratch(most_rows, packed.padded_dim);
  const int measure_floats = task.importance == nullptr ? 0
                                                        : kernels_.importance_scratch(
                                                              most_rows, task.importance->n_blocks);
  const int64_t floats = own_floats + measure_floats;
  float* scratch = reserve(scratch_, floats * pool_.threads());
  std::vector<std::vector<SeenPanel>> sparse(static_cast<size_t>(pool_.threads()));
  const auto n_tiles = static_cast<int>(tiles.size());
  pool_.run(n_tiles * shape.n_heads, [&](int i, int worker) {
    const int head = i / n_tiles;
    const int kv_head = head / (shape.n_heads / shape.n_kv_heads);
    const Range rows = tiles[static_cast<size_t>(i % n_tiles)];
    const Tensor q = task.q.slice(rows).columns({head * dim, (head + 1) * dim});
    const Tensor out = task.out.slice(rows).columns({head * dim, (head + 1) * dim});
    float* own = scratch + worker * floats;
    const std::vector<SeenPanel>* panels = &dense.panels;
    if (task.pattern != nullptr || !task.key_ends.empty()) {
      auto& list = sparse[static_cast<size_t>(worker)];
      list_panels(task, head, rows.begin, kernels_.panel, list);
      panels = &list;
    }
    ImportanceTile measure{};
    if (task.importance != nullptr) {
      measure = measure_tile(*task.importance, head, rows.begin);
      measure.generation_panels = dense.generation;
      measure.power = task.importance->scale * std::sqrt(static_cast<float>(dim));
      measure.scratch = own + own_floats;
    }
    float* lse =
        task.lse == nullptr ? nullptr : task.lse + int64_t{rows.begin} * shape.n_heads + head;
    const int64_t at = kv_head * packed.head_bytes;
    kernels_.attend({.q = q.f32(),
                     .q_stride = q.stride,
                     .out = out.f32(),
                     .out_stride = out.stride,
                     .lse = lse,
                     .lse_stride = shape.n_heads,
                     .rows = q.rows,
                     .head_dim = dim,
                     .head = {packed.keys + at, packed.values + at, packed.padded_dim},
                     .panels = panels->data(),
                     .n_panels = static_cast<int>(panels->size()),
                     .importance = task.importance == nullptr ? nullptr : &measure,
                     .scratch = own});
  });
}

}  // namespace unmask::cpu
