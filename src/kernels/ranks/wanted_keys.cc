#include "kernels/ranks/wanted_keys.h"

#include <algorithm>
#include <vector>

namespace unmask {

namespace {

/// The blocks of some queries, whose positions ascend.
std::vector<int> blocks_of(std::span<const int> positions, int block_size) {
  std::vector<int> blocks;
  for (const int position : positions) {
    const int block = position / block_size;
    if (blocks.empty() || blocks.back() != block) blocks.push_back(block);
  }
  return blocks;
}

/// Runs of true, each of which stands for `size` slots of `slots`.
std::vector<Range> ranges_of(const std::vector<bool>& seen, int size, int slots) {
  std::vector<Range> ranges;
  const auto n = static_cast<int>(seen.size());
  for (int i = 0; i < n; ++i) {
    if (!seen[static_cast<size_t>(i)]) continue;
    const Range range{i * size, std::min((i + 1) * size, slots)};
    if (!ranges.empty() && ranges.back().end == range.begin) {
      ranges.back().end = range.end;
    } else {
      ranges.push_back(range);
    }
  }
  return ranges;
}

}  // namespace

WantedRows wanted_keys(const AttentionTask& task, const RowShares& queries,
                       const HeadShape& shape) {
  const BlockPattern& pattern = *task.pattern;
  const int slots = task.kv.k.rows;
  const int size = pattern.key_size();
  const int group = shape.n_heads / shape.n_kv_heads;
  const auto ranks = static_cast<int>(queries.size());
  WantedRows wanted(ranks, shape.n_kv_heads, shape.head_dim);
  std::vector<bool> seen;
  for (int rank = 0; rank < ranks; ++rank) {
    const Range share = queries[static_cast<size_t>(rank)];
    const auto blocks = blocks_of(
        task.positions.subspan(static_cast<size_t>(share.begin), static_cast<size_t>(share.size())),
        pattern.block_size());
    for (int head = 0; head < shape.n_kv_heads; ++head) {
      seen.assign(static_cast<size_t>((slots + size - 1) / size), false);
      for (int reader = head * group; reader < (head + 1) * group; ++reader) {
        for (const int block : blocks) {
          for (const uint16_t key : pattern.list(reader, block)) seen[key] = true;
        }
      }
      wanted.of(rank, head) = ranges_of(seen, size, slots);
    }
  }
  return wanted;
}

}  // namespace unmask
