// What ranks read of keys by a pattern, against looking at every query.
#include "kernels/ranks/wanted_keys.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace unmask {
namespace {

struct Case {
  int slots;
  int block;
  bool columns;
};

BlockPattern drawn_pattern(std::mt19937& random, const Case& c, int n_heads) {
  const int n = (c.slots + c.block - 1) / c.block;
  BlockPattern pattern =
      c.columns ? BlockPattern::of_columns(c.block, n_heads, n) : BlockPattern(c.block, n_heads, n);
  const int entries = c.columns ? c.slots : n;
  for (int i = 0; i < n_heads * n; ++i) {
    std::vector<uint16_t> list{static_cast<uint16_t>(random() % static_cast<unsigned>(entries))};
    for (int e = list[0] + 1; e < entries; ++e) {
      if (random() % 4 == 0) list.push_back(static_cast<uint16_t>(e));
    }
    pattern.append(list);
  }
  return pattern;
}

TEST(WantedKeys, AreThoseThatSomeQuerySees) {
  std::mt19937 random(11);
  const HeadShape shape{.n_heads = 6, .n_kv_heads = 2, .head_dim = 4};
  for (const Case& c : {Case{30, 8, false}, {30, 8, true}, {32, 16, false}, {5, 8, false}}) {
    const BlockPattern pattern = drawn_pattern(random, c, shape.n_heads);
    std::vector<int> positions;  // some rows only
    for (int p = 0; p < c.slots; ++p) {
      if (random() % 3 != 0) positions.push_back(p);
    }
    AttentionTask task;
    task.kv.k.rows = c.slots;
    task.pattern = &pattern;
    task.positions = positions;
    const auto n = static_cast<int>(positions.size());
    const RowShares shares{{0, n / 3}, {n / 3, n / 3}, {n / 3, n}};
    const WantedRows wanted = wanted_keys(task, shares, shape);
    for (int rank = 0; rank < 3; ++rank) {
      const Range share = shares[static_cast<size_t>(rank)];
      for (int slot = 0; slot < c.slots; ++slot) {
        for (int head = 0; head < shape.n_kv_heads; ++head) {
          bool seen = false;
          for (int row = share.begin; row < share.end; ++row) {
            for (int reader = 3 * head; reader < 3 * head + 3; ++reader) {
              const auto list = pattern.list(reader, positions[static_cast<size_t>(row)] / c.block);
              seen = seen ||
                     std::find(list.begin(), list.end(), slot / pattern.key_size()) != list.end();
            }
          }
          const auto& ranges = wanted.of(rank, head);
          EXPECT_EQ(
              std::any_of(ranges.begin(), ranges.end(), [&](Range r) { return r.contains(slot); }),
              seen)
              << rank << ", " << head << ", " << slot;
        }
      }
    }
  }
}

}  // namespace
}  // namespace unmask
