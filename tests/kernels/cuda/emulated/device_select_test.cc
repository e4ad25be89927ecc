// The selection of blocks on the emulator, against select_blocks().
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/emulator/instructions.h"
#include "kernels/cuda/emulator/launch.h"
#include "kernels/select.h"
// Kernels follow the instructions they are to run on.
#include "kernels/cuda/select.inc"

namespace unmask::cuda {
namespace {

/// Importance of `blocks` blocks; `levels` different values make ties.
BlockImportance random_importance(int heads, int blocks, int first, int levels) {
  std::mt19937 random(static_cast<unsigned>(blocks * 31 + levels));
  BlockImportance importance;
  importance.block_size = 128;
  importance.first_generation_block = first;
  importance.reset(heads, blocks * 128);
  for (auto* table : {&importance.all, &importance.generation}) {
    for (float& x : *table) {
      x = static_cast<float>(random() % static_cast<unsigned>(levels)) / static_cast<float>(levels);
    }
  }
  return importance;
}

BlockPattern select_emulated(const BlockImportance& importance, int heads,
                             const BlockSelection& selection) {
  const int n = importance.n_blocks;
  DeviceSelection task{.all = importance.all.data(),
                       .generation = importance.generation.data(),
                       .n_heads = heads,
                       .n_blocks = n,
                       .first_generation_block = importance.first_generation_block,
                       .select = selection.select,
                       .isolated = selection.isolated};
  const int stride = list_stride(task);
  std::vector<uint16_t> blocks(static_cast<size_t>(heads * n * stride), 0xffff);
  std::vector<int32_t> counts(static_cast<size_t>(heads * n), -1);
  task.blocks = blocks.data();
  task.counts = counts.data();
  const SelectParams p = select_params(task);
  emulator::run({.blocks = (p.rows + kSelectRows - 1) / kSelectRows, .threads = kSelectThreads},
                [&] { select_rows(p); });
  BlockPattern pattern(importance.block_size, heads, n);
  for (size_t row = 0; row < counts.size(); ++row) {
    pattern.append(std::span(blocks).subspan(row * static_cast<size_t>(stride),
                                             static_cast<size_t>(counts[row])));
  }
  return pattern;
}

TEST(CudaSelect, EqualsTheHost) {
  for (const int blocks : {1, 2, 31, 33, 70}) {
    for (const int levels : {1, 3, 1 << 20}) {
      for (const bool isolated : {false, true}) {
        const BlockImportance importance =
            random_importance(2, blocks, isolated ? blocks * 2 / 3 : blocks / 2, levels);
        for (const double select : {0.0, 0.29, 1.0}) {
          const BlockSelection selection{.select = select, .isolated = isolated};
          EXPECT_EQ(select_emulated(importance, 2, selection), select_blocks(importance, selection))
              << blocks << " blocks, " << levels << " levels, " << select;
        }
      }
    }
  }
}

}  // namespace
}  // namespace unmask::cuda
