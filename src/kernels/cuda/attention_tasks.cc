#include "kernels/cuda/attention_tasks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check_attention.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/cell_work.h"
#include "kernels/cuda/query_tiles.h"
#include "kernels/cuda/tensor_view.h"

namespace unmask::cuda {

namespace {

// Fewer rows have a kernel of their own.
constexpr int kManyRows = 128;

/// The smallest head that the kernels have and that holds one of `head_dim`.
int padded_head(int head_dim) {
  for (const int size : {32, 64, 96, 128}) {
    if (head_dim <= size) return size;
  }
  fail(ErrorCode::device, "[cuda] head size: found {}, expected at most 128", head_dim);
}

/// A pattern on the device.
class PatternLists final : public PackedPattern {
 public:
  PatternLists(Buffer blocks, Buffer counts, int stride)
      : blocks_(std::move(blocks)), counts_(std::move(counts)), stride_(stride) {}

  DeviceLists lists(const BlockPattern& pattern) const {
    return {.blocks = static_cast<const uint16_t*>(blocks_.data()),
            .counts = static_cast<const int32_t*>(counts_.data()),
            .stride = stride_,
            .block_size = pattern.block_size(),
            .n_blocks = pattern.n_blocks()};
  }

 private:
  Buffer blocks_;  // [lists, stride]
  Buffer counts_;  // [lists]
  int stride_;
};

std::unique_ptr<PatternLists> upload(Device& device, const BlockPattern& pattern) {
  std::vector<int32_t> counts;
  for (int head = 0; head < pattern.n_heads(); ++head) {
    for (int block = 0; block < pattern.n_blocks(); ++block) {
      counts.push_back(static_cast<int32_t>(pattern.list(head, block).size()));
    }
  }
  const int stride = *std::max_element(counts.begin(), counts.end());
  std::vector<uint16_t> blocks(counts.size() * static_cast<size_t>(stride));
  auto row = blocks.begin();
  for (int head = 0; head < pattern.n_heads(); ++head) {
    for (int block = 0; block < pattern.n_blocks(); ++block, row += stride) {
      const auto list = pattern.list(head, block);
      std::copy(list.begin(), list.end(), row);
    }
  }
  return std::make_unique<PatternLists>(copied(device, blocks), copied(device, counts), stride);
}

bool every_position(const AttentionTask& task) {
  return static_cast<int>(task.positions.size()) == task.kv.k.rows;
}

}  // namespace

void AttentionTasks::run(const AttentionTask& task, const HeadShape& shape) {
  check_attention(task, shape);
  if (task.q.rows == 0) return;
  head_dim_ = shape.head_dim;
  padded_ = padded_head(head_dim_);
  const Operand q = readable(task.q, shape.n_heads, q_);
  const Operand out = place(task.out, shape.n_heads, out_);
  const bool keeps = task.kv.packed != nullptr && !(fits(task.kv.k) && fits(task.kv.v));
  const auto [k, v] = keeps ? packed(task.kv, shape.n_kv_heads)
                            : std::pair(readable(task.kv.k, shape.n_kv_heads, k_),
                                        readable(task.kv.v, shape.n_kv_heads, v_));
  DeviceAttention work{.q = q.data,
                       .k = k.data,
                       .v = v.data,
                       .out = out.data,
                       .q_stride = q.stride,
                       .k_stride = k.stride,
                       .v_stride = v.stride,
                       .out_stride = out.stride,
                       .rows = task.q.rows,
                       .keys = task.kv.k.rows,
                       .n_heads = shape.n_heads,
                       .n_kv_heads = shape.n_kv_heads,
                       .head_dim = padded_,
                       .scale = 1 / std::sqrt(static_cast<float>(head_dim_))};
  if (task.lse != nullptr || task.importance != nullptr) {
    work.lse =
        lse_.fit<float>(static_cast<size_t>(shape.n_heads) * static_cast<size_t>(task.q.rows));
  }
  if (task.pattern != nullptr) set_pattern(task, work);
  if (!task.key_ends.empty()) set_ends(task.key_ends, work);
  launch_task(work);
  if (out.data != task.out.data) {
    launch(CopyParts{.rows = task.out.rows,
                     .cols = task.out.cols,
                     .from = {out.data, out.stride, true},
                     .list = nullptr,
                     .out = view(task.out),
                     .from_width = padded_,
                     .out_width = head_dim_},
           device_.stream());
  }
  if (task.lse != nullptr) download_lse(task, shape.n_heads, work.lse);
  if (task.importance != nullptr) measure(task, work);
}

void AttentionTasks::launch_task(const DeviceAttention& work) {
  const bool full = work.lists.blocks == nullptr && work.key_ends == nullptr &&
                    work.lse == nullptr && work.rows >= kManyRows;
  if (full && full_ == CudaAttention::cudnn) return library_->run(work);
  void* workspace = workspace_.fit<std::byte>(attention_workspace(device_.traits(), work));
  launch_attention(device_.traits(), work, workspace, device_.stream());
}

bool AttentionTasks::fits(Tensor rows) const { return head_dim_ == padded_ && is_aligned(rows); }

AttentionTasks::Operand AttentionTasks::place(Tensor rows, int n_heads, Scratch& room) const {
  if (fits(rows)) return {static_cast<Bf16*>(rows.data), rows.stride};
  const int cols = n_heads * padded_;
  return {room.fit<Bf16>(static_cast<size_t>(rows.rows) * static_cast<size_t>(cols)), cols};
}

AttentionTasks::Operand AttentionTasks::readable(Tensor rows, int n_heads, Scratch& room) const {
  const Operand out = place(rows, n_heads, room);
  if (out.data != rows.data) pack(rows, {}, n_heads, out);
  return out;
}

void AttentionTasks::pack(Tensor from, std::span<const int> list, int n_heads, Operand out) const {
  const bool some = !list.empty();
  launch(CopyParts{.rows = some ? static_cast<int>(list.size()) : from.rows,
                   .cols = n_heads * padded_,
                   .from = view(from),
                   .list = some ? index_lists_.on_device(list) : nullptr,
                   .out = {out.data, out.stride, true},
                   .from_width = head_dim_,
                   .out_width = padded_},
         device_.stream());
}

std::pair<AttentionTasks::Operand, AttentionTasks::Operand> AttentionTasks::packed(const KvView& kv,
                                                                                   int n_kv_heads) {
  const auto slots = static_cast<size_t>(kv.k.rows);
  const int cols = n_kv_heads * padded_;
  const size_t bytes = dense_bytes(kv.k.rows, cols, DType::bf16);
  PackedKv& kept = *kv.packed;
  if (kept.keys.bytes() < bytes) {
    kept.keys = device_.allocate(bytes);
    kept.values = device_.allocate(bytes);
    kept.forget();
  }
  const Operand k{static_cast<Bf16*>(kept.keys.data()), cols};
  const Operand v{static_cast<Bf16*>(kept.values.data()), cols};
  std::vector<int> stale;
  const bool known = kept.fresh.size() == slots;
  for (size_t s = 0; known && s < slots; ++s) {
    if (!kept.fresh[s]) stale.push_back(static_cast<int>(s));
  }
  if (!known || !stale.empty()) {
    pack(kv.k, stale, n_kv_heads, k);
    pack(kv.v, stale, n_kv_heads, v);
  }
  kept.fresh.assign(slots, true);
  return {k, v};
}

void AttentionTasks::set_pattern(const AttentionTask& task, DeviceAttention& work) {
  const BlockPattern& pattern = *task.pattern;
  if (pattern.key_size() != pattern.block_size()) {
    fail(ErrorCode::device,
         "[attention] pattern: found columns, expected blocks of keys, which this device reads");
  }
  auto* lists = dynamic_cast<PatternLists*>(pattern.packed().get());
  if (lists == nullptr) {
    auto fresh = upload(device_, pattern);
    lists = fresh.get();
    pattern.packed() = std::move(fresh);
  }
  work.lists = lists->lists(pattern);
  if (every_position(task)) return;
  const std::vector<QueryTile> tiles = query_tiles(task.positions, pattern.block_size());
  static_assert(sizeof(QueryTile) == 3 * sizeof(int) && alignof(QueryTile) == alignof(int));
  std::vector<int> numbers;
  for (const QueryTile& tile : tiles) {
    numbers.insert(numbers.end(), {tile.first_row, tile.rows, tile.query_block});
  }
  work.tiles = reinterpret_cast<const QueryTile*>(index_lists_.on_device(numbers));
  work.n_tiles = static_cast<int>(tiles.size());
}

void AttentionTasks::set_ends(std::span<const int> ends, DeviceAttention& work) {
  static_assert(sizeof(KeyEnds) == 2 * sizeof(int) && alignof(KeyEnds) == alignof(int));
  std::vector<int> numbers(ends.begin(), ends.end());
  for (const KeyEnds& tile : tile_ends(ends)) {
    numbers.insert(numbers.end(), {tile.least, tile.most});
  }
  work.key_ends = index_lists_.on_device(numbers);
  work.tile_ends = reinterpret_cast<const KeyEnds*>(work.key_ends + ends.size());
  // Nobody sees the others: a kernel that shares out the keys need not know of them.
  work.keys = *std::max_element(ends.begin(), ends.end());
}

void AttentionTasks::measure(const AttentionTask& task, const DeviceAttention& done) {
  BlockImportance& importance = *task.importance;
  DeviceImportance tables{.q = done.q,
                          .k = done.k,
                          .q_stride = done.q_stride,
                          .k_stride = done.k_stride,
                          .rows = done.rows,
                          .n_heads = done.n_heads,
                          .n_kv_heads = done.n_kv_heads,
                          .head_dim = done.head_dim,
                          .scale = importance.scale,
                          .lse = importance.scale == done.scale ? done.lse : nullptr,
                          .block_size = importance.block_size,
                          .first_generation_block = importance.first_generation_block};
  importance.n_blocks = tables.n_blocks();
  const size_t rows = static_cast<size_t>(done.n_heads) * static_cast<size_t>(importance.n_blocks);
  tables.all = all_.fit<float>(rows * static_cast<size_t>(importance.n_blocks));
  tables.generation =
      generation_.fit<float>(rows * static_cast<size_t>(importance.generation_blocks()));
  void* workspace = workspace_.fit<std::byte>(block_scores_workspace(tables));
  launch_block_scores(device_.traits(), tables, workspace, device_.stream());
  if (importance.selection && importance.selection->coverage <= 0) {
    choose(importance, tables);
    return;
  }
  importance.reset(done.n_heads, done.rows);
  device_.download(dense(tables.all, importance.all.size()), importance.all.data());
  device_.download(dense(tables.generation, importance.generation.size()),
                   importance.generation.data());
}

void AttentionTasks::choose(BlockImportance& importance, const DeviceImportance& tables) {
  DeviceSelection work{.all = tables.all,
                       .generation = tables.generation,
                       .n_heads = tables.n_heads,
                       .n_blocks = importance.n_blocks,
                       .first_generation_block = importance.first_generation_block,
                       .select = importance.selection->select,
                       .isolated = importance.selection->isolated};
  const int stride = list_stride(work);
  const auto lists = static_cast<size_t>(work.n_heads) * static_cast<size_t>(work.n_blocks);
  std::vector<uint16_t> blocks(lists * static_cast<size_t>(stride));
  std::vector<int32_t> counts(lists);
  Buffer device_blocks = device_.allocate(blocks.size() * sizeof(uint16_t));
  Buffer device_counts = device_.allocate(counts.size() * sizeof(int32_t));
  work.blocks = static_cast<uint16_t*>(device_blocks.data());
  work.counts = static_cast<int32_t*>(device_counts.data());
  launch_select(work, device_.stream());
  device_.download(dense(work.blocks, blocks.size()), blocks.data());
  device_.download(dense(work.counts, counts.size()), counts.data());
  BlockPattern pattern(importance.block_size, work.n_heads, work.n_blocks);
  for (size_t i = 0; i < lists; ++i) {
    pattern.append(
        std::span(blocks).subspan(i * static_cast<size_t>(stride), static_cast<size_t>(counts[i])));
  }
  pattern.packed() =
      std::make_unique<PatternLists>(std::move(device_blocks), std::move(device_counts), stride);
  importance.chosen = std::move(pattern);
  importance.all.clear();
  importance.generation.clear();
}

void AttentionTasks::download_lse(const AttentionTask& task, int n_heads, const float* lse) {
  const auto rows = static_cast<size_t>(task.q.rows);
  const auto heads = static_cast<size_t>(n_heads);
  std::vector<float> by_head(rows * heads);
  device_.download(dense(lse, by_head.size()), by_head.data());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t h = 0; h < heads; ++h) task.lse[r * heads + h] = by_head[h * rows + r];
  }
}

}  // namespace unmask::cuda
