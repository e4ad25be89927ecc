// Which kernel computes what.
#include "kernels/cuda/attention.h"

#include "core/error.h"
#include "kernels/cuda/flash_mma.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/scores.h"

namespace unmask::cuda {

namespace {

// Below this many query rows tiles of 128 rows are mostly empty.
constexpr int kFewRows = 128;

/// The kernels for Hopper know tiles of 128 and heads that fill whole panels.
bool fits_sm90(const DeviceTraits& device, int head_dim, int block_size) {
  return device.compute_capability == 90 && (head_dim == 64 || head_dim == 128) &&
         block_size == kTileRows;
}

/// The kernel for Hopper gives a tile of queries to one multiprocessor, the other one shares out
/// its keys, too.
bool fills(const DeviceTraits& device, const DeviceAttention& t) {
  return (t.rows + kTileRows - 1) / kTileRows * t.n_heads >= device.multiprocessors;
}

bool takes_sm90(const DeviceTraits& device, const DeviceAttention& t) {
  const bool dense = t.lists.blocks == nullptr;
  return t.tiles == nullptr &&
         fits_sm90(device, t.head_dim, dense ? kTileRows : t.lists.block_size) &&
         (!dense || (t.rows >= kFewRows && fills(device, t)));
}

void check_device(const DeviceTraits& device, int head_dim) {
  if (device.compute_capability < 80) {
    fail(ErrorCode::device, "[cuda] device: found compute capability {}.{}, expected 8.0 or later",
         device.compute_capability / 10, device.compute_capability % 10);
  }
  if (head_dim != 32 && head_dim != 64 && head_dim != 96 && head_dim != 128) {
    fail(ErrorCode::device, "[cuda] head size: found {}, expected 32, 64, 96 or 128", head_dim);
  }
}

void check_heads(int n_heads, int n_kv_heads, int rows) {
  UNMASK_CHECK(n_kv_heads > 0 && n_heads % n_kv_heads == 0, "query heads share key heads evenly");
  UNMASK_CHECK(rows > 0, "attention needs at least one row");
}

}  // namespace

size_t attention_workspace(const DeviceTraits& device, const DeviceAttention& task) {
  if (takes_sm90(device, task)) return 0;
  return mma_part_floats(mma_params(device, task), task.head_dim) * sizeof(float);
}

void launch_attention(const DeviceTraits& device, const DeviceAttention& task, void* workspace,
                      Stream stream) {
  check_device(device, task.head_dim);
  check_heads(task.n_heads, task.n_kv_heads, task.rows);
  UNMASK_CHECK(task.keys > 0, "attention needs at least one key");
  if (takes_sm90(device, task)) {
    launch_flash_sm90(device, task, stream);
  } else {
    launch_flash_mma(device, task, static_cast<float*>(workspace), stream);
  }
}

size_t block_scores_workspace(const DeviceImportance& task) {
  return static_cast<size_t>(lse_size(task)) * (task.lse == nullptr ? 2 : 1) * sizeof(float);
}

void launch_block_scores(const DeviceTraits& device, const DeviceImportance& task, void* workspace,
                         Stream stream) {
  check_device(device, task.head_dim);
  check_heads(task.n_heads, task.n_kv_heads, task.rows);
  if (task.block_size % 8 != 0 || task.block_size < 8 || task.block_size > kTileRows) {
    fail(ErrorCode::device, "[cuda] block size: found {}, expected a multiple of 8 up to {}",
         task.block_size, kTileRows);
  }
  if (fits_sm90(device, task.head_dim, task.block_size)) {
    launch_scores_sm90(device, task, static_cast<float*>(workspace), stream);
  } else {
    launch_scores_mma(task, static_cast<float*>(workspace), stream);
  }
}

}  // namespace unmask::cuda
