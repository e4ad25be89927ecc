#include "kernels/select.h"

#include <algorithm>
#include <numeric>

namespace unmask {

namespace {

/// Numbers of the `count` most important blocks, in no order.
std::vector<uint16_t> most_important(std::span<const float> importance, int count) {
  std::vector<uint16_t> order(importance.size());
  std::iota(order.begin(), order.end(), uint16_t{0});
  const auto kept = std::min(order.size(), static_cast<size_t>(count));
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(order.begin(), end, order.end(), [&](uint16_t a, uint16_t b) {
    return importance[a] != importance[b] ? importance[a] > importance[b] : a < b;
  });
  order.resize(kept);
  return order;
}

/// The released code keeps one block more than the rounded share. The product in double precision
/// decides what truncation yields: 100 * 0.29 gives 28.
int keep_count(size_t blocks, double select) {
  return static_cast<int>(static_cast<double>(blocks) * select) + 1;
}

/// The fewest blocks that together hold `share` of the importance.
std::vector<uint16_t> covering(std::span<const float> importance, double share) {
  std::vector<uint16_t> order = most_important(importance, static_cast<int>(importance.size()));
  double total = 0;
  for (const uint16_t b : order) total += importance[b];
  double held = 0;
  size_t count = 0;
  while (count < order.size() && (count == 0 || held < share * total)) {
    held += importance[order[count++]];
  }
  order.resize(count);
  return order;
}

/// Blocks of one part; `limit` of `importance` belong to it, the others only compete.
std::vector<uint16_t> choose(std::span<const float> importance, size_t limit,
                             const BlockSelection& s) {
  if (s.coverage > 0) return covering(importance.first(limit), s.coverage);
  std::vector<uint16_t> kept = most_important(importance, keep_count(importance.size(), s.select));
  std::erase_if(kept, [&](uint16_t b) { return b >= limit; });
  return kept;
}

}  // namespace

BlockPattern select_blocks(const BlockImportance& importance, const BlockSelection& selection) {
  const auto n = static_cast<size_t>(importance.n_blocks);
  const auto first = static_cast<size_t>(importance.first_generation_block);
  UNMASK_CHECK(n > 0 && first < n && importance.all.size() % (n * n) == 0,
               "importance of at least one generation block");
  const size_t rows = importance.all.size() / n;
  BlockPattern pattern(importance.block_size, static_cast<int>(rows / n), importance.n_blocks);
  for (size_t row = 0; row < rows; ++row) {
    const auto all = std::span(importance.all).subspan(row * n, n);
    std::vector<uint16_t> kept = choose(all, selection.isolated ? first : n, selection);
    if (selection.isolated) {
      const auto own = std::span(importance.generation).subspan(row * (n - first), n - first);
      for (const uint16_t b : choose(own, n - first, selection)) {
        kept.push_back(static_cast<uint16_t>(first + b));
      }
    }
    std::sort(kept.begin(), kept.end());
    pattern.append(kept);
  }
  return pattern;
}

}  // namespace unmask
