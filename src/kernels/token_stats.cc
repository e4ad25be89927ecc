#include "kernels/token_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/random.h"

namespace unmask {

namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

/// Streams of random numbers that must not overlap for one (seed, step, position).
enum Stream : uint32_t { kGumbelStream = 0x80000000U, kCategoricalStream = 0x90000000U };

/// Largest first; equal logits in order of their ids.
std::vector<int> by_logit(std::span<const float> row) {
  std::vector<int> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)];
  });
  return order;
}

/// Drops every token whose better ones already hold more than `top_p` of the mass.
void filter_top_p(std::span<float> row, double top_p, const RowMath& math) {
  const std::vector<int> order = by_logit(row);
  const float largest = row[static_cast<size_t>(order[0])];
  const double sum = math.exp_sums(row.data(), static_cast<int>(row.size()), largest).sum;
  double before = 0;
  for (const int id : order) {
    float& logit = row[static_cast<size_t>(id)];
    const double p = std::exp(static_cast<double>(logit - largest)) / sum;
    if (before > top_p) logit = kRemoved;
    before += p;
  }
}

/// Drops every token below the k-th largest logit; ties at the border stay.
void filter_top_k(std::span<float> row, int k) {
  if (k >= static_cast<int>(row.size())) return;
  std::vector<float> sorted(row.begin(), row.end());
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<>());
  const float border = sorted[static_cast<size_t>(k) - 1];
  for (float& logit : row) {
    if (logit < border) logit = kRemoved;
  }
}

/// Arg-max of logits - T log(-log u), in double precision as the published sampler does.
TokenId gumbel_choice(std::span<const float> row, int position, const TokenQuery& query) {
  const Philox random(query.seed);
  TokenId best = -1;
  double best_value = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < row.size(); i += 2) {
    const auto bits = random(static_cast<uint32_t>(i / 2), static_cast<uint32_t>(position),
                             static_cast<uint32_t>(query.step), kGumbelStream);
    for (size_t j = i; j < std::min(i + 2, row.size()); ++j) {
      const double u = open_unit(bits[2 * (j - i)], bits[2 * (j - i) + 1]);
      const double value = row[j] - query.temperature * std::log(-std::log(u));
      if (value <= best_value) continue;
      best_value = value;
      best = static_cast<TokenId>(j);
    }
  }
  return best;
}

/// One draw from softmax(row) by the inverse of its distribution function.
TokenId categorical_choice(std::span<const float> row, int position, const TokenQuery& query) {
  const float largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit - largest));
  const auto bits = Philox(query.seed)(0, static_cast<uint32_t>(position),
                                       static_cast<uint32_t>(query.step), kCategoricalStream);
  double left = open_unit(bits[0], bits[1]) * sum;
  TokenId last = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] == kRemoved) continue;
    last = static_cast<TokenId>(i);
    left -= std::exp(static_cast<double>(row[i] - largest));
    if (left < 0) break;
  }
  return last;
}

/// Takes some tokens out of a row for as long as it lives.
class Hidden {
 public:
  Hidden(std::span<float> row, std::span<const TokenId> ids) : row_(row), ids_(ids) {
    for (const TokenId id : ids_) {
      logits_.push_back(row_[static_cast<size_t>(id)]);
      row_[static_cast<size_t>(id)] = kRemoved;
    }
  }
  ~Hidden() {
    for (size_t i = ids_.size(); i-- > 0;) row_[static_cast<size_t>(ids_[i])] = logits_[i];
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  std::span<float> row_;
  std::span<const TokenId> ids_;
  std::vector<float> logits_;
};

/// Scales and filters the row in place, so that softmax(row) is the distribution that Dream samples
/// from.
void shape_distribution(std::span<float> row, const TokenQuery& query, const RowMath& math) {
  if (query.noise == Noise::gumbel) return;
  if (query.temperature > 0) {
    for (float& logit : row) logit = static_cast<float>(logit / query.temperature);
  }
  if (query.top_k && query.top_k_first) filter_top_k(row, *query.top_k);
  if (query.top_p && *query.top_p < 1) filter_top_p(row, *query.top_p, math);
  if (query.top_k && !query.top_k_first) filter_top_k(row, *query.top_k);
}

/// What two passes over a row tell.
struct Distribution {
  TokenId top;
  double sum;  // of exp(logit - largest logit)
};

/// Margin and entropy of the whole distribution.
Distribution measure(std::span<const float> row, const RowMath& math, TokenStats& stats) {
  const int n = static_cast<int>(row.size());
  const RowMath::TopTwo top = math.top_two(row.data(), n);
  const auto sums = math.exp_sums(row.data(), n, top.first);
  stats.neg_entropy = static_cast<float>(sums.weighted / sums.sum - std::log(sums.sum));
  const double second = top.second;
  stats.margin = static_cast<float>((1 - std::exp(second - top.first)) / sums.sum);
  return {top.index, sums.sum};
}

TokenId choose(std::span<float> row, TokenId top, int position, const TokenQuery& query,
               const RowMath& math) {
  const bool draws = query.temperature > 0 && query.noise != Noise::none;
  if (!draws && query.forbidden.empty()) return top;
  const Hidden without_forbidden(row, query.forbidden);
  if (!draws) return math.argmax(row.data(), static_cast<int>(row.size()));
  if (query.noise == Noise::gumbel) return gumbel_choice(row, position, query);
  return categorical_choice(row, position, query);
}

/// softmax(row)[token], with the tokens that carry no confidence out of the sum.
float probability(std::span<float> row, const Distribution& all, TokenId token,
                  const TokenQuery& query, const RowMath& math) {
  const auto& worthless = query.without_confidence;
  if (token == all.top && worthless.empty()) return static_cast<float>(1 / all.sum);
  if (std::find(worthless.begin(), worthless.end(), token) != worthless.end()) return 0;
  const Hidden without_worthless(row, worthless);
  const int n = static_cast<int>(row.size());
  const float largest = row[static_cast<size_t>(math.argmax(row.data(), n))];
  const double logit = row[static_cast<size_t>(token)];
  return static_cast<float>(std::exp(logit - largest) / math.exp_sums(row.data(), n, largest).sum);
}

}  // namespace

TokenStats reduce_row(std::span<float> row, int position, const TokenQuery& query,
                      const RowMath& math) {
  for (const TokenId id : query.removed) row[static_cast<size_t>(id)] = kRemoved;
  shape_distribution(row, query, math);
  TokenStats stats;
  const Distribution all = measure(row, math, stats);
  stats.token = choose(row, all.top, position, query, math);
  stats.probability = probability(row, all, stats.token, query, math);
  return stats;
}

}  // namespace unmask
