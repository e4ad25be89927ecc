// The functions of attention.h on a plain device, as their formulas.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/library_attention.h"
#include "kernels/cuda/plain_device.h"
#include "kernels/cuda/plain_dot.h"
#include "kernels/select.h"

namespace unmask::cuda {

namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

/// Scores become probabilities; returns the log of the sum of exp(score).
float softmax(std::span<float> scores) {
  const float largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (float& s : scores) sum += s = std::exp(s - largest);
  for (float& s : scores) s = static_cast<float>(s / sum);
  return largest + static_cast<float>(std::log(sum));
}

/// The query block of every row.
std::vector<int> blocks_of(const DeviceAttention& task) {
  std::vector<int> blocks(static_cast<size_t>(task.rows), -1);
  if (task.tiles == nullptr) {
    for (int r = 0; r < task.rows; ++r) blocks[static_cast<size_t>(r)] = r / task.lists.block_size;
    return blocks;
  }
  for (int t = 0; t < task.n_tiles; ++t) {
    const QueryTile& tile = task.tiles[t];
    UNMASK_CHECK(0 < tile.rows && tile.rows <= kMaxTileRows, "size of a query tile");
    std::fill_n(blocks.begin() + tile.first_row, tile.rows, tile.query_block);
  }
  UNMASK_CHECK(std::count(blocks.begin(), blocks.end(), -1) == 0, "tiles cover every row");
  return blocks;
}

void hide_unlisted(const DeviceLists& lists, int list, std::span<float> scores) {
  const uint16_t* begin = lists.blocks + int64_t{list} * lists.stride;
  for (size_t key = 0; key < scores.size(); ++key) {
    const auto block = static_cast<uint16_t>(key / static_cast<size_t>(lists.block_size));
    if (!std::binary_search(begin, begin + lists.counts[list], block)) scores[key] = kHidden;
  }
}

void attend(const DeviceAttention& task) {
  const PlainAccess access;
  const bool sparse = task.lists.blocks != nullptr;
  const std::vector<int> blocks = sparse ? blocks_of(task) : std::vector<int>();
  const int dim = task.head_dim;
  std::vector<float> scores(static_cast<size_t>(task.keys));
  for (int head = 0; head < task.n_heads; ++head) {
    const int column = head / (task.n_heads / task.n_kv_heads) * dim;
    for (int row = 0; row < task.rows; ++row) {
      const Bf16* q = task.q + row * task.q_stride + int64_t{head} * dim;
      for (int key = 0; key < task.keys; ++key) {
        scores[static_cast<size_t>(key)] =
            plain_dot(q, task.k + key * task.k_stride + column, dim) * task.scale;
      }
      if (sparse) {
        hide_unlisted(task.lists, head * task.lists.n_blocks + blocks[static_cast<size_t>(row)],
                      scores);
      }
      if (task.key_ends != nullptr) {
        const KeyEnds tile = task.tile_ends[row / kMaxTileRows];
        UNMASK_CHECK(tile.least <= task.key_ends[row] && task.key_ends[row] <= tile.most,
                     "ends of a tile of rows");
        std::fill(scores.begin() + task.key_ends[row], scores.end(), kHidden);
      }
      const float lse = softmax(scores);
      if (task.lse != nullptr) task.lse[int64_t{head} * task.rows + row] = lse;
      for (int d = 0; d < dim; ++d) {
        float sum = 0;
        for (int key = 0; key < task.keys; ++key) {
          sum += scores[static_cast<size_t>(key)] *
                 bf16_to_f32(task.v[key * task.v_stride + column + d]);
        }
        task.out[row * task.out_stride + int64_t{head} * dim + d] = f32_to_bf16(sum);
      }
    }
  }
}

void measure_blocks(const DeviceImportance& task) {
  const PlainAccess access;
  const int blocks = task.n_blocks();
  const int size = task.block_size;
  // The softmax over the keys from block `first` on, added up into rows of `width`.
  const auto measure = [&](int first, float* table) {
    const int width = blocks - first;
    std::fill_n(table, int64_t{task.n_heads} * blocks * width, 0.0F);
    std::vector<float> scores(static_cast<size_t>(task.rows - first * size));
    for (int head = 0; head < task.n_heads; ++head) {
      const int column = head / (task.n_heads / task.n_kv_heads) * task.head_dim;
      for (int row = 0; row < task.rows; ++row) {
        const Bf16* q = task.q + row * task.q_stride + int64_t{head} * task.head_dim;
        for (size_t i = 0; i < scores.size(); ++i) {
          const int64_t key = static_cast<int64_t>(i) + int64_t{first} * size;
          scores[i] =
              plain_dot(q, task.k + key * task.k_stride + column, task.head_dim) * task.scale;
        }
        softmax(scores);
        float* sums = table + (int64_t{head} * blocks + row / size) * width;
        for (size_t i = 0; i < scores.size(); ++i) {
          sums[i / static_cast<size_t>(size)] += scores[i] / static_cast<float>(size * size);
        }
      }
    }
  };
  measure(0, task.all);
  measure(task.first_generation_block, task.generation);
}

void select(const DeviceSelection& task) {
  const PlainAccess access;
  BlockImportance importance;
  importance.block_size = 1;
  importance.first_generation_block = task.first_generation_block;
  importance.n_blocks = task.n_blocks;
  const int64_t lists = int64_t{task.n_heads} * task.n_blocks;
  importance.all.assign(task.all, task.all + lists * task.n_blocks);
  importance.generation.assign(task.generation,
                               task.generation + lists * importance.generation_blocks());
  const BlockPattern pattern =
      select_blocks(importance, {.select = task.select, .isolated = task.isolated});
  for (int head = 0; head < task.n_heads; ++head) {
    for (int block = 0; block < task.n_blocks; ++block) {
      const auto list = pattern.list(head, block);
      const int row = head * task.n_blocks + block;
      std::copy(list.begin(), list.end(), task.blocks + int64_t{row} * list_stride(task));
      task.counts[row] = static_cast<int32_t>(list.size());
    }
  }
}

}  // namespace

size_t attention_workspace(const DeviceTraits& /*device*/, const DeviceAttention& /*task*/) {
  return 0;
}

void launch_attention(const DeviceTraits& /*device*/, const DeviceAttention& task,
                      void* /*workspace*/, Stream stream) {
  stream->add([task] { attend(task); });
}

size_t block_scores_workspace(const DeviceImportance& /*task*/) { return 0; }

void launch_block_scores(const DeviceTraits& /*device*/, const DeviceImportance& task,
                         void* /*workspace*/, Stream stream) {
  stream->add([task] { measure_blocks(task); });
}

/// The same formula again, counted.
class PlainLibrary final : public LibraryAttention {
 public:
  explicit PlainLibrary(Device& device) : device_(device) {}
  void run(const DeviceAttention& task) override {
    ++plain_library_tasks;
    device_.stream()->add([task] { attend(task); });
  }

 private:
  Device& device_;
};

std::unique_ptr<LibraryAttention> create_library_attention(Device& device) {
  return std::make_unique<PlainLibrary>(device);
}

int list_stride(const DeviceSelection& task) { return task.n_blocks; }

void launch_select(const DeviceSelection& task, Stream stream) {
  stream->add([task] { select(task); });
}

}  // namespace unmask::cuda
