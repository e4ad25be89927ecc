// Attention of the CUDA backend as the host plans it, on a device of host memory.
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "kernels/create_backend.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/plain_device.h"
#include "kernels/select.h"
#include "support/device_tensor.h"
#include "support/random_tensor.h"

namespace unmask {
namespace {

using testing::DeviceTensor;
using testing::RandomTensor;

// Outputs are means of values of size 1, rounded to bfloat16, as are the inputs.
constexpr double kBound = 2e-2;

/// One attention with random inputs on both backends.
class Case {
 public:
  Case(std::mt19937& random, Backend& cuda, const HeadShape& shape, int rows, int slots,
       DType type = DType::f32)
      : shape(shape),
        q(random, rows, shape.n_heads * shape.head_dim, 8),
        k(random, slots, shape.n_kv_heads * shape.head_dim, 16),
        v(random, slots, shape.n_kv_heads * shape.head_dim, 24),
        expected(random, rows, shape.n_heads * shape.head_dim, 32),
        device_q(cuda, q.view(), type),
        device_k(cuda, k.view(), type),
        device_v(cuda, v.view(), type),
        out(cuda, expected.view(), type),
        cuda_(cuda) {}

  AttentionTask on_device() const {
    return {.q = device_q.view(), .kv = {device_k.view(), device_v.view()}, .out = out.view()};
  }
  AttentionTask on_host() const {
    return {.q = q.view(), .kv = {k.view(), v.view()}, .out = expected.view()};
  }
  /// Runs both tasks and compares what they give.
  void compare(const AttentionTask& device, const AttentionTask& host) const {
    cuda_.attention(std::span(&device, 1), shape);
    create_reference_backend()->attention(std::span(&host, 1), shape);
    const std::vector<float> found = out.values();
    for (int r = 0; r < expected.view().rows; ++r) {
      for (int c = 0; c < expected.view().cols; ++c) {
        ASSERT_NEAR(found[static_cast<size_t>(r * expected.view().cols + c)],
                    expected.view().f32(r)[c], kBound)
            << "row " << r << " column " << c;
      }
    }
  }

  HeadShape shape;
  RandomTensor q, k, v, expected;
  DeviceTensor device_q, device_k, device_v, out;

 private:
  Backend& cuda_;
};

/// Every head and query block reads itself, block 0 and every `step`-th block.
BlockPattern some_blocks(int size, int n_heads, int n_blocks, int step) {
  BlockPattern pattern(size, n_heads, n_blocks);
  for (int row = 0; row < n_heads * n_blocks; ++row) {
    std::vector<uint16_t> list;
    for (int b = 0; b < n_blocks; ++b) {
      if (b == 0 || b == row % n_blocks || (b + row) % step == 0) {
        list.push_back(static_cast<uint16_t>(b));
      }
    }
    pattern.append(list);
  }
  return pattern;
}

class CudaAttentionTest : public ::testing::Test {
 protected:
  std::mt19937 random_{5};
  std::unique_ptr<Backend> cuda_ = cuda::create_backend({.threads = 1});
};

TEST_F(CudaAttentionTest, AnyHeadsAndSizes) {
  for (const auto& [shape, rows, slots] :
       {std::tuple{HeadShape{1, 1, 2}, 1, 1}, std::tuple{HeadShape{4, 4, 32}, 37, 37},
        std::tuple{HeadShape{4, 2, 40}, 5, 257}, std::tuple{HeadShape{2, 1, 96}, 8, 130},
        std::tuple{HeadShape{2, 2, 128}, 33, 100}}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Case c(random_, *cuda_, shape, rows, slots, type);
      c.compare(c.on_device(), c.on_host());
    }
  }
  const Case wide(random_, *cuda_, {1, 1, 130}, 2, 2);
  EXPECT_THROW(wide.compare(wide.on_device(), wide.on_host()), Error);
}

TEST_F(CudaAttentionTest, LogSumExp) {
  const Case c(random_, *cuda_, {3, 3, 20}, 9, 31);
  std::vector<float> found(27);
  std::vector<float> expected(27);
  AttentionTask device = c.on_device();
  AttentionTask host = c.on_host();
  device.lse = found.data();
  host.lse = expected.data();
  c.compare(device, host);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-2) << i;
}

TEST_F(CudaAttentionTest, PatternsOfAllAndOfSomePositions) {
  const BlockPattern pattern = some_blocks(8, 4, 9, 3);
  std::vector<int> every(67);
  std::iota(every.begin(), every.end(), 0);
  for (const std::vector<int>& positions : {every, {3, 8, 9, 15, 16, 40, 66}, {66}}) {
    const auto rows = static_cast<int>(positions.size());
    const Case c(random_, *cuda_, {4, 2, 32}, rows, 67);
    AttentionTask device = c.on_device();
    AttentionTask host = c.on_host();
    device.pattern = host.pattern = &pattern;
    device.positions = host.positions = positions;
    c.compare(device, host);
  }
}

TEST_F(CudaAttentionTest, FullAttentionGoesToALibraryWhenAsked) {
  const int before = cuda::plain_library_tasks;
  const Case by_us(random_, *cuda_, {4, 2, 32}, 128, 150);
  by_us.compare(by_us.on_device(), by_us.on_host());
  EXPECT_EQ(cuda::plain_library_tasks, before);
  const auto asking = cuda::create_backend({.threads = 1, .attention = CudaAttention::cudnn});
  const Case full(random_, *asking, {4, 2, 32}, 128, 150);
  const Case few(random_, *asking, {4, 2, 32}, 127, 150);
  full.compare(full.on_device(), full.on_host());
  EXPECT_EQ(cuda::plain_library_tasks, before + 1);
  few.compare(few.on_device(), few.on_host());  // has a kernel of its own
  std::vector<float> lse(128 * 4);
  AttentionTask measured = full.on_device();
  measured.lse = lse.data();
  full.compare(measured, full.on_host());
  EXPECT_EQ(cuda::plain_library_tasks, before + 1);
}

TEST_F(CudaAttentionTest, APatternsDeviceFormFollowsItsLists) {
  std::vector<int> positions(64);
  std::iota(positions.begin(), positions.end(), 0);
  BlockPattern pattern = some_blocks(8, 2, 8, 3);
  for (const int step : {2, 7, 100}) {
    const Case c(random_, *cuda_, {2, 2, 32}, 64, 64);
    AttentionTask device = c.on_device();
    AttentionTask host = c.on_host();
    device.pattern = host.pattern = &pattern;
    device.positions = host.positions = positions;
    c.compare(device, host);
    EXPECT_NE(pattern.packed(), nullptr);
    const BlockPattern copy = pattern;
    EXPECT_EQ(copy.packed(), nullptr);
    EXPECT_EQ(copy, pattern);
    pattern = some_blocks(8, 2, 8, step);  // at the same address
    EXPECT_EQ(pattern.packed(), nullptr);
  }
}

TEST_F(CudaAttentionTest, CachesPackOnlyWhatChanged) {
  const Case c(random_, *cuda_, {4, 2, 32}, 6, 50);
  PackedKv packed;
  AttentionTask device = c.on_device();
  device.kv.packed = &packed;
  c.compare(device, c.on_host());
  const void* memory = packed.keys.data();
  // Two slots change and say so.
  const Rows changed(std::vector<int>{7, 49});
  for (const int slot : changed) {
    for (int i = 0; i < 64; ++i) c.k.view().f32(slot)[i] += 1;
  }
  const DeviceTensor fresh(*cuda_, c.k.view());
  device.kv.k = fresh.view();
  packed.forget(changed);
  c.compare(device, c.on_host());
  EXPECT_EQ(packed.keys.data(), memory);
  // Fewer slots are another cache, whatever was packed.
  device.kv.k = fresh.view().slice({5, 40});
  device.kv.v = c.device_v.view().slice({5, 40});
  AttentionTask host = c.on_host();
  host.kv = {c.k.view().slice({5, 40}), c.v.view().slice({5, 40})};
  c.compare(device, host);
}

TEST_F(CudaAttentionTest, CachesInBfloat16AreReadWhereTheyLie) {
  for (const auto& [head_dim, copied] : {std::pair{32, false}, std::pair{24, true}}) {
    const Case c(random_, *cuda_, {4, 2, head_dim}, 6, 50, DType::bf16);
    PackedKv packed;
    AttentionTask device = c.on_device();
    device.kv.packed = &packed;
    c.compare(device, c.on_host());
    EXPECT_EQ(packed.keys.bytes() > 0, copied) << head_dim;
  }
}

TEST_F(CudaAttentionTest, ImportanceAndTheBlocksItChooses) {
  const Case c(random_, *cuda_, {4, 2, 32}, 90, 90);
  for (const float scale : {1 / std::sqrt(32.0F), 0.5F}) {
    BlockImportance found;
    found.block_size = 16;
    found.scale = scale;
    found.first_generation_block = 4;
    BlockImportance expected = found;
    BlockImportance chosen = found;
    chosen.selection = BlockSelection{.select = 0.3};
    AttentionTask device = c.on_device();
    AttentionTask host = c.on_host();
    device.importance = &found;
    host.importance = &expected;
    c.compare(device, host);
    ASSERT_EQ(found.all.size(), expected.all.size());
    ASSERT_EQ(found.generation.size(), expected.generation.size());
    for (size_t i = 0; i < found.all.size(); ++i) {
      EXPECT_NEAR(found.all[i], expected.all[i], 1e-3) << i;
    }
    for (size_t i = 0; i < found.generation.size(); ++i) {
      EXPECT_NEAR(found.generation[i], expected.generation[i], 1e-3) << i;
    }
    device.importance = &chosen;
    cuda_->attention(std::span(&device, 1), c.shape);
    EXPECT_EQ(chosen.chosen, select_blocks(found, *chosen.selection));
    EXPECT_NE(chosen.chosen.packed(), nullptr);
    EXPECT_TRUE(chosen.all.empty());
  }
}

TEST_F(CudaAttentionTest, NoQueriesAreNoWork) {
  const Case c(random_, *cuda_, {2, 2, 32}, 3, 5);
  AttentionTask task = c.on_device();
  task.q = task.q.slice({0, 0});
  task.out = task.out.slice({0, 0});
  EXPECT_NO_THROW(cuda_->attention(std::span(&task, 1), c.shape));
}

}  // namespace
}  // namespace unmask
