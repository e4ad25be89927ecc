#include "kernels/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/check_attention.h"
#include "kernels/cpu/column_gather.h"
#include "kernels/cpu/reserve.h"

namespace unmask::cpu {

namespace {

constexpr int kPackHeads = 8;       // heads of a panel packed by one task: rows are read in runs
constexpr int kTilesPerThread = 2;  // at least, so that uneven tiles leave no thread idle for long
constexpr int kFewestRows = 8;      // of a tile: those of one micro-kernel

// Bytes of keys, and as many of values, that no cache keeps and that are packed at a time: two
// sequences of 4,096 slots of LLaDA-8B in bfloat16. Longer ones run one after the other; each then
// has seconds of work and a barrier costs microseconds.
constexpr int64_t kPassingBytes = int64_t{64} << 20;

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
/// blocks, so that no two tiles add to one sum; with columns a tile is a query block, so that these
/// are gathered once.
std::vector<Range> cut_tiles(const AttentionTask& task, int limit) {
  if (reads_columns(task)) limit = task.pattern->block_size();
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
  const int size = task.pattern->key_size();
  const int query_block = task.positions[static_cast<size_t>(row)] / task.pattern->block_size();
  for (const int block : task.pattern->list(head, query_block)) {
    see({block * size, std::min(task.kv.k.rows, (block + 1) * size)}, panel, list);
  }
}

/// First slots of the panels with slots that are not fresh; of all panels where nothing is kept or
/// the number of slots changed.
std::vector<int> stale_panels(const PackedKv* kept, int slots, int panel) {
  const bool known = kept != nullptr && static_cast<int>(kept->fresh.size()) == slots;
  std::vector<int> stale;
  for (int first = 0; first < slots; first += panel) {
    bool whole = known;
    for (int s = first; whole && s < std::min(slots, first + panel); ++s) {
      whole = kept->fresh[static_cast<size_t>(s)];
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

/// Numbers from 0 on, dealt out to several lists one after the other.
class Numbering {
 public:
  void append(int count) { ends_.push_back(total() + count); }
  int total() const { return ends_.empty() ? 0 : ends_.back(); }

  struct Place {
    size_t list;
    int at;  // in the list
  };
  Place find(int number) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), number);
    const auto list = static_cast<size_t>(end - ends_.begin());
    return {list, list == 0 ? number : number - ends_[list - 1]};
  }

 private:
  std::vector<int> ends_;
};

/// Pairs of a query and a key of one head, about.
double work_of(const AttentionTask& task) {
  const double seen = task.pattern == nullptr ? 1 : task.pattern->density();
  return seen * task.q.rows * task.kv.k.rows;
}

}  // namespace

/// One task of a call while it runs.
struct Attention::Job {
  const AttentionTask* task;
  std::vector<int> stale{};  // first slots of the panels to be packed
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  int64_t head_bytes = 0;  // from one packed head to the next
  int padded_dim = 0;
  std::vector<Range> tiles{};
  DensePanels dense{};
};

void Attention::run(std::span<const AttentionTask> tasks, const HeadShape& shape) {
  for (const AttentionTask& task : tasks) {
    if (task.q.rows > 0) check_attention(task, shape);
  }
  while (!tasks.empty()) {
    const size_t count = count_together(tasks, shape);
    run_together(tasks.first(count), shape);
    tasks = tasks.subspan(count);
  }
}

int64_t Attention::packed_bytes(const AttentionTask& task, const HeadShape& shape) const {
  const int panel = kernels_.panel;
  const int64_t slots = ceil_div(task.kv.k.rows, panel) * panel;
  const int64_t dim = ceil_div(shape.head_dim, panel) * panel;
  return slots * dim * kernels_.element_bytes * shape.n_kv_heads;
}

size_t Attention::count_together(std::span<const AttentionTask> tasks,
                                 const HeadShape& shape) const {
  int64_t passing = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const AttentionTask& task = tasks[i];
    if (task.q.rows == 0) continue;
    const bool packed_before = task.kv.packed != nullptr &&
                               std::any_of(tasks.begin(), tasks.begin() + i,
                                           [&](auto& t) { return t.kv.packed == task.kv.packed; });
    if (task.kv.packed == nullptr) passing += packed_bytes(task, shape);
    if (i > 0 && (packed_before || passing > kPassingBytes)) return i;
  }
  return tasks.size();
}

void Attention::run_together(std::span<const AttentionTask> tasks, const HeadShape& shape) {
  std::vector<Job> jobs;
  for (const AttentionTask& task : tasks) {
    if (task.q.rows == 0) continue;
    if (task.importance != nullptr) task.importance->reset(shape.n_heads, task.kv.k.rows);
    jobs.push_back({.task = &task});
  }
  place(jobs, shape);
  pack(jobs, shape);
  cut(jobs, shape);
  attend(jobs, shape);
}

void Attention::place(std::span<Job> jobs, const HeadShape& shape) {
  const auto bytes_of = [&](const Job& job) { return packed_bytes(*job.task, shape); };
  int64_t passing = 0;
  for (const Job& job : jobs) {
    if (job.task->kv.packed == nullptr && !reads_columns(*job.task)) passing += bytes_of(job);
  }
  std::byte* keys = reserve_bytes(passing_keys_, passing);
  std::byte* values = reserve_bytes(passing_values_, passing);
  for (Job& job : jobs) {
    job.padded_dim = ceil_div(shape.head_dim, kernels_.panel) * kernels_.panel;
    if (reads_columns(*job.task)) continue;
    const KvView& kv = job.task->kv;
    const int64_t bytes = bytes_of(job);
    if (kv.packed == nullptr) {
      job.keys = std::exchange(keys, keys + bytes);
      job.values = std::exchange(values, values + bytes);
    } else {
      if (static_cast<int64_t>(kv.packed->keys.bytes()) < bytes) kv.packed->forget();
      job.keys = reserve_bytes(kv.packed->keys, bytes);
      job.values = reserve_bytes(kv.packed->values, bytes);
    }
    job.head_bytes = bytes / shape.n_kv_heads;
    job.stale = stale_panels(kv.packed, kv.k.rows, kernels_.panel);
  }
}

void Attention::pack(std::span<Job> jobs, const HeadShape& shape) {
  const int groups = ceil_div(shape.n_kv_heads, kPackHeads);
  Numbering parts;
  for (const Job& job : jobs) parts.append(static_cast<int>(job.stale.size()) * groups);
  pool_.run(parts.total(), [&](int i, int) {
    const auto [number, part] = parts.find(i);
    const Job& job = jobs[number];
    const int first = job.stale[static_cast<size_t>(part / groups)];
    const KvView& kv = job.task->kv;
    const Range slots{first, std::min(kv.k.rows, first + kernels_.panel)};
    const int64_t slot_bytes = int64_t{job.padded_dim} * kernels_.element_bytes;
    const int begin = part % groups * kPackHeads;
    for (int head = begin; head < std::min(shape.n_kv_heads, begin + kPackHeads); ++head) {
      const Range columns{head * shape.head_dim, (head + 1) * shape.head_dim};
      const Tensor k = kv.k.slice(slots).columns(columns);
      const Tensor v = kv.v.slice(slots).columns(columns);
      const int64_t at = head * job.head_bytes + first * slot_bytes;
      kernels_.pack_keys(k.f32(), k.stride, k.rows, k.cols, job.padded_dim, job.keys + at);
      kernels_.pack_values(v.f32(), v.stride, v.rows, v.cols, job.padded_dim, job.values + at);
    }
  });
  for (const Job& job : jobs) {
    if (PackedKv* kept = job.task->kv.packed; kept != nullptr && !reads_columns(*job.task)) {
      kept->fresh.assign(static_cast<size_t>(job.task->kv.k.rows), true);
    }
  }
}

void Attention::cut(std::span<Job> jobs, const HeadShape& shape) const {
  double share = 0;  // of the work: the most that one tile should be
  for (const Job& job : jobs) share += work_of(*job.task) * shape.n_heads;
  share /= kTilesPerThread * pool_.threads();
  for (Job& job : jobs) {
    const AttentionTask& task = *job.task;
    const double row = work_of(task) / task.q.rows;
    int limit = kernels_.tile_rows;
    while (limit > kFewestRows && std::min(limit, task.q.rows) * row > share) limit /= 2;
    job.tiles = cut_tiles(task, limit);
    if (!reads_columns(task)) job.dense = dense_panels(task, kernels_.panel);
  }
  // Tiles of much work come first, so that the last ones to end are short.
  const auto of_a_tile = [](const Job& job) {
    return work_of(*job.task) / static_cast<double>(job.tiles.size());
  };
  std::stable_sort(jobs.begin(), jobs.end(),
                   [&](const Job& a, const Job& b) { return of_a_tile(a) > of_a_tile(b); });
}

void Attention::attend(std::span<Job> jobs, const HeadShape& shape) {
  Numbering tiles;
  int own_floats = 0;
  int measure_floats = 0;
  int64_t gathered = 0;
  for (const Job& job : jobs) {
    tiles.append(static_cast<int>(job.tiles.size()) * shape.n_heads);
    int rows = 0;
    for (const Range& tile : job.tiles) rows = std::max(rows, tile.size());
    own_floats = std::max(own_floats, kernels_.scratch(rows, job.padded_dim));
    if (reads_columns(*job.task)) {
      gathered = std::max(gathered, gathered_bytes(kernels_, job.task->kv.k.rows, shape.head_dim));
    }
    if (const BlockImportance* importance = job.task->importance) {
      measure_floats =
          std::max(measure_floats, kernels_.importance_scratch(rows, importance->n_blocks));
    }
  }
  const int64_t floats = own_floats + measure_floats;
  float* scratch = reserve(scratch_, floats * pool_.threads());
  std::byte* room = reserve_bytes(gathered_, gathered * pool_.threads());
  std::vector<std::vector<SeenPanel>> lists(static_cast<size_t>(pool_.threads()));
  pool_.run(tiles.total(), [&](int i, int worker) {
    const auto [number, place] = tiles.find(i);
    float* own = scratch + worker * floats;
    attend_tile(
        jobs[number], place, shape,
        {own, own + own_floats, room + worker * gathered, lists[static_cast<size_t>(worker)]});
  });
}

void Attention::attend_tile(const Job& job, int place, const HeadShape& shape,
                            const Room& room) const {
  const AttentionTask& task = *job.task;
  const int dim = shape.head_dim;
  const auto n_tiles = static_cast<int>(job.tiles.size());
  const int head = place / n_tiles;
  const int kv_head = head / (shape.n_heads / shape.n_kv_heads);
  const Range rows = job.tiles[static_cast<size_t>(place % n_tiles)];
  const int64_t at = kv_head * job.head_bytes;
  PackedHead packed{job.keys + at, job.values + at, job.padded_dim};
  const std::vector<SeenPanel>* panels = &job.dense.panels;
  if (reads_columns(task)) {
    const int block = task.positions[static_cast<size_t>(rows.begin)] / task.pattern->block_size();
    const auto list = task.pattern->list(head, block);
    const Range columns{kv_head * dim, (kv_head + 1) * dim};
    packed = gather_head(kernels_, {task.kv.k.columns(columns), task.kv.v.columns(columns)}, list,
                         room.gathered);
    room.list.clear();
    see({0, static_cast<int>(list.size())}, kernels_.panel, room.list);
    panels = &room.list;
  } else if (task.pattern != nullptr || !task.key_ends.empty()) {
    list_panels(task, head, rows.begin, kernels_.panel, room.list);
    panels = &room.list;
  }
  ImportanceTile measure{};
  if (task.importance != nullptr) {
    measure = measure_tile(*task.importance, head, rows.begin);
    measure.generation_panels = job.dense.generation;
    measure.power = task.importance->scale * std::sqrt(static_cast<float>(dim));
    measure.scratch = room.measuring;
  }
  float* lse =
      task.lse == nullptr ? nullptr : task.lse + int64_t{rows.begin} * shape.n_heads + head;
  const Tensor q = task.q.slice(rows).columns({head * dim, (head + 1) * dim});
  const Tensor out = task.out.slice(rows).columns({head * dim, (head + 1) * dim});
  kernels_.attend({.q = q.f32(),
                   .q_stride = q.stride,
                   .out = out.f32(),
                   .out_stride = out.stride,
                   .lse = lse,
                   .lse_stride = shape.n_heads,
                   .rows = q.rows,
                   .head_dim = dim,
                   .head = packed,
                   .panels = panels->data(),
                   .n_panels = static_cast<int>(panels->size()),
                   .importance = task.importance == nullptr ? nullptr : &measure,
                   .scratch = room.own});
}

}  // namespace unmask::cpu
