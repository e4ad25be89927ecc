// Which kernel attention.cc takes for what, with launches that only say so.
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/launch.h"

namespace unmask::cuda {

namespace {
std::string launched;
}

void launch_flash_sm90(const DeviceTraits&, const DeviceAttention&, Stream) { launched = "sm_90"; }
void launch_flash_mma(const DeviceTraits&, const DeviceAttention&, float*, Stream) {
  launched = "mma";
}
void launch_scores_sm90(const DeviceTraits&, const DeviceImportance&, float*, Stream) {
  launched = "sm_90";
}
void launch_scores_mma(const DeviceImportance&, float*, Stream) { launched = "mma"; }

namespace {

constexpr DeviceTraits kHopper{90, 132};

DeviceAttention dense(int rows, int n_heads, int head_dim = 128) {
  return {.rows = rows,
          .keys = 4096,
          .n_heads = n_heads,
          .n_kv_heads = n_heads,
          .head_dim = head_dim,
          .scale = 1};
}

std::string kernel_of(const DeviceTraits& device, const DeviceAttention& task) {
  launch_attention(device, task, nullptr, nullptr);
  return launched;
}

TEST(CudaAttentionChoice, HopperTakesItsKernelWhereTilesFillTheDevice) {
  EXPECT_EQ(kernel_of(kHopper, dense(4096, 32)), "sm_90");
  EXPECT_EQ(kernel_of(kHopper, dense(4096, 32, 64)), "sm_90");
  EXPECT_EQ(kernel_of(kHopper, dense(4096, 32, 96)), "mma");  // no whole panels
  EXPECT_EQ(kernel_of({80, 108}, dense(4096, 32)), "mma");
  EXPECT_EQ(kernel_of(kHopper, dense(32, 32)), "mma");
  // 132 multiprocessors: four tiles of 33 heads fill them, four of 32 do not.
  EXPECT_EQ(kernel_of(kHopper, dense(512, 33)), "sm_90");
  EXPECT_EQ(kernel_of(kHopper, dense(512, 32)), "mma");
}

TEST(CudaAttentionChoice, ListsOfItsBlocksGoToHopper) {
  const uint16_t blocks[] = {0};
  DeviceAttention task = dense(4096, 1);
  task.lists.blocks = blocks;
  task.lists.block_size = 128;
  EXPECT_EQ(kernel_of(kHopper, task), "sm_90");
  task.lists.block_size = 32;
  EXPECT_EQ(kernel_of(kHopper, task), "mma");
  task.lists.block_size = 128;
  const QueryTile tile{0, 1, 0};
  task.tiles = &tile;  // rows are not positions
  EXPECT_EQ(kernel_of(kHopper, task), "mma");
}

TEST(CudaAttentionChoice, EndsOfKeysChangeNothing) {
  const std::vector<int32_t> ends(4096, 4096);
  DeviceAttention task = dense(4096, 32);
  task.key_ends = ends.data();
  EXPECT_EQ(kernel_of(kHopper, task), "sm_90");
  task = dense(32, 32);
  task.key_ends = ends.data();
  EXPECT_EQ(kernel_of(kHopper, task), "mma");
}

TEST(CudaAttentionChoice, OnlySplitKeysNeedAWorkspaceAndFitOneRound) {
  EXPECT_EQ(attention_workspace(kHopper, dense(4096, 32)), 0);
  // 12 splits of 32 heads: 384 blocks of the 3 x 132 that run at a time, each with the rows' parts
  // and log-sum-exps.
  DeviceAttention cached = dense(32, 32);
  cached.keys = 32768;
  const size_t part = size_t{32} * 32 * (128 + 1) * sizeof(float);
  EXPECT_EQ(attention_workspace(kHopper, cached), 12 * part);
}

TEST(CudaAttentionChoice, RefusesWhatNoKernelComputes) {
  EXPECT_THROW(kernel_of({75, 40}, dense(4096, 32)), Error);
  EXPECT_THROW(kernel_of(kHopper, dense(4096, 32, 80)), Error);
}

}  // namespace
}  // namespace unmask::cuda
