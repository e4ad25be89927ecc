#include "kernels/experts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace unmask {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// Added up as the 32 lanes of a warp do, so that equal logits give equal scores on every backend:
/// every 32nd value, then the sums of lanes whose numbers differ in one bit.
float sum_by_lanes(std::span<const float> values) {
  constexpr size_t kLanes = 32;
  std::array<float, kLanes> sums{};
  for (size_t i = 0; i < values.size(); ++i) sums[i % kLanes] += values[i];
  for (size_t distance = 1; distance < kLanes; distance *= 2) {
    const auto before = sums;
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += before[lane ^ distance];
  }
  return sums[0];
}

std::vector<float> scores_of(std::span<const float> logits, bool sigmoid) {
  std::vector<float> scores(logits.begin(), logits.end());
  if (sigmoid) {
    for (float& s : scores) s = 1 / (1 + std::exp(-s));
    return scores;
  }
  const float largest = *std::max_element(scores.begin(), scores.end());
  for (float& s : scores) s = std::exp(s - largest);
  const float sum = sum_by_lanes(scores);
  for (float& s : scores) s /= sum;
  return scores;
}

/// Indices of the `count` largest values, equal ones in order, largest first.
std::vector<int> largest(std::span<const float> values, int count) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](int i) { return values[static_cast<size_t>(i)]; };
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int a, int b) { return at(a) != at(b) ? at(a) > at(b) : a < b; });
  order.resize(static_cast<size_t>(count));
  return order;
}

/// Takes the experts of all but the best groups out of the comparison.
void keep_groups(std::span<float> ranks, const Routing& routing) {
  const size_t size = ranks.size() / static_cast<size_t>(routing.groups);
  std::vector<float> of_group;
  for (size_t begin = 0; begin < ranks.size(); begin += size) {
    const auto group = ranks.subspan(begin, size);
    float sum = 0;
    for (const int e : largest(group, std::min(2, static_cast<int>(size)))) {
      sum += group[static_cast<size_t>(e)];
    }
    of_group.push_back(sum);
  }
  const std::vector<int> kept = largest(of_group, routing.groups_kept);
  for (size_t g = 0; g < of_group.size(); ++g) {
    if (std::find(kept.begin(), kept.end(), static_cast<int>(g)) != kept.end()) continue;
    std::fill_n(ranks.begin() + static_cast<std::ptrdiff_t>(g * size), size, kNever);
  }
}

}  // namespace

std::vector<RoutedExpert> choose_experts(std::span<const float> logits, std::span<const float> bias,
                                         const Routing& routing) {
  const std::vector<float> scores = scores_of(logits, routing.sigmoid);
  std::vector<float> ranks = scores;
  for (size_t e = 0; e < bias.size(); ++e) ranks[e] += bias[e];
  if (routing.groups > 1) keep_groups(ranks, routing);
  std::vector<int> chosen = largest(ranks, routing.top_k);
  float sum = 0;
  for (const int e : chosen) sum += scores[static_cast<size_t>(e)];
  const float scale = routing.normalized ? routing.scale / (sum + 1e-20F) : routing.scale;
  std::sort(chosen.begin(), chosen.end());
  std::vector<RoutedExpert> experts;
  experts.reserve(chosen.size());
  for (const int e : chosen) experts.push_back({e, scores[static_cast<size_t>(e)] * scale});
  return experts;
}

}  // namespace unmask
