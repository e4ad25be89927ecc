#include "methods/selection.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/error.h"

namespace unmask {

namespace {

template <typename Before>
Rows first_of(std::span<const float> scores, int count, const Before& before) {
  UNMASK_CHECK(0 <= count && count <= static_cast<int>(scores.size()), "selection of too many");
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::nth_element(order.begin(), order.begin() + count, order.end(), [&](int a, int b) {
    const float left = scores[static_cast<size_t>(a)];
    const float right = scores[static_cast<size_t>(b)];
    return left != right ? before(left, right) : a < b;
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return Rows(std::move(order));
}

}  // namespace

std::vector<float> max_pool(std::span<const float> scores, int width) {
  UNMASK_CHECK(width > 0 && width % 2 == 1, "a centred window has an odd width");
  const auto n = static_cast<int>(scores.size());
  std::vector<float> pooled;
  pooled.reserve(scores.size());
  for (int i = 0; i < n; ++i) {
    const int begin = std::max(0, i - width / 2);
    const int end = std::min(n, i + width / 2 + 1);
    pooled.push_back(*std::max_element(scores.begin() + begin, scores.begin() + end));
  }
  return pooled;
}

Rows largest(std::span<const float> scores, int count) {
  return first_of(scores, count, std::greater<>());
}

Rows smallest(std::span<const float> scores, int count) {
  return first_of(scores, count, std::less<>());
}

Rows best_positions(std::vector<std::pair<int, float>> scored, int width, int count) {
  std::ranges::sort(scored, {}, &std::pair<int, float>::first);
  std::vector<float> scores;
  scores.reserve(scored.size());
  for (const auto& [position, score] : scored) scores.push_back(score);
  std::vector<int> best;
  for (const int i :
       largest(max_pool(scores, width), std::min(count, static_cast<int>(scores.size())))) {
    best.push_back(scored[static_cast<size_t>(i)].first);
  }
  return Rows(std::move(best));
}

}  // namespace unmask
