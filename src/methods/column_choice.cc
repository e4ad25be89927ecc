#include "methods/column_choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "methods/selection.h"

namespace unmask {

namespace {

constexpr int kMostPositions = 65536;  // a pattern numbers them with 16 bits

/// The fewest keys that have this share of the attention, ascending.
Rows covering(std::span<const float> mass, double share) {
  std::vector<int> order(mass.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](int i) { return mass[static_cast<size_t>(i)]; });
  const double all = std::accumulate(mass.begin(), mass.end(), 0.0);
  double sum = 0;
  size_t count = 0;
  for (; count < order.size() && sum < share * all; ++count) {
    sum += mass[static_cast<size_t>(order[count])];
  }
  order.resize(count);
  std::ranges::sort(order);
  return Rows(std::move(order));
}

/// Of the keys with this attention, those that a block of queries goes on reading; never none.
std::vector<uint16_t> kept_columns(std::span<const float> mass, int ranked,
                                   const BlockSelection& selection) {
  const auto candidates = mass.first(static_cast<size_t>(ranked));
  const int count = static_cast<int>(std::ceil(ranked * selection.select));
  const Rows best = selection.coverage > 0 ? covering(candidates, selection.coverage)
                                           : largest(candidates, count);
  std::vector<uint16_t> list(best.begin(), best.end());
  for (auto p = static_cast<size_t>(ranked); p < mass.size(); ++p) {
    list.push_back(static_cast<uint16_t>(p));
  }
  if (list.empty()) list.push_back(static_cast<uint16_t>(largest(mass, 1)[0]));
  return list;
}

}  // namespace

BlockPattern choose_columns(const AttendScope& scope, int block, const BlockSelection& selection) {
  const int length = scope.step.length();
  if (length > kMostPositions) {
    fail(
        "[method] sparsed: unit=column: found a canvas of {} positions, expected at most {}; use "
        "unit=block",
        length, kMostPositions);
  }
  const int prompt = scope.step.prompt_length;
  const int blocks = (length + block - 1) / block;
  const int heads = scope.shape.n_kv_heads;
  std::vector<std::vector<std::vector<uint16_t>>> lists(static_cast<size_t>(heads));  // by block
  std::vector<float> mass(static_cast<size_t>(heads) * static_cast<size_t>(length));
  for (int b = 0; b < blocks; ++b) {
    const Range queries{b * block, std::min(length, (b + 1) * block)};
    scope.backend.attention_mass(scope.q, Rows(queries), scope.k, scope.shape, mass);
    // What generates reads all of itself: early on its masks attract little.
    const int ranked = queries.end > prompt ? prompt : length;
    for (size_t h = 0; h < lists.size(); ++h) {
      const auto of_head =
          std::span(mass).subspan(h * static_cast<size_t>(length), static_cast<size_t>(length));
      lists[h].push_back(kept_columns(of_head, ranked, selection));
    }
  }
  BlockPattern pattern = BlockPattern::of_columns(block, scope.shape.n_heads, blocks);
  const int group = scope.shape.n_heads / heads;
  for (int h = 0; h < scope.shape.n_heads; ++h) {
    for (const auto& list : lists[static_cast<size_t>(h / group)]) pattern.append(list);
  }
  return pattern;
}

}  // namespace unmask
