#include "generate/alternatives.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace unmask {

Alternatives find_alternatives(std::span<const float> logits, TokenId token, int count) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  const double whole = largest + std::log(sum);
  const auto log_probability = [&](TokenId id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - whole);
  };
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto kept = static_cast<std::ptrdiff_t>(std::min(order.size(), static_cast<size_t>(count)));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](TokenId a, TokenId b) {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  Alternatives found{.log_probability = log_probability(token)};
  for (auto id = order.begin(); id != order.begin() + kept; ++id) {
    found.top.push_back({*id, log_probability(*id)});
  }
  return found;
}

}  // namespace unmask
