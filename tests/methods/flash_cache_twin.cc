#include "methods/flash_cache_twin.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace unmask::testing {

namespace {

/// Sum over the layers above the second of (mean over heads and rows of q . key).
double score(const PlainModel& model, const PlainModel::Cache& cache, const std::set<int>& rows,
             int position) {
  const ModelConfig& config = model.config();
  const auto dim = static_cast<size_t>(config.head_dim);
  const auto group = static_cast<size_t>(config.n_heads / config.n_kv_heads);
  double sum = 0;
  for (size_t layer = 2; layer < cache.keys.size(); ++layer) {
    const PlainModel::Row& key = cache.keys[layer].at(position);
    for (const int row : rows) {
      const PlainModel::Row& q = cache.queries[layer].at(row);
      for (size_t i = 0; i < q.size(); ++i) sum += q[i] * key[i / dim / group * dim + i % dim];
    }
  }
  return sum / static_cast<double>(rows.size()) / config.n_heads;
}

}  // namespace

std::vector<std::vector<PlainChoice>> flash_cache_twin(const PlainModel& model,
                                                       FlashCacheTwinRequest r) {
  const int shift = model.config().logit_shift;
  PlainModel::Cache cache = model.empty_cache();
  std::vector<int> masks;    // in their order
  std::vector<int> decided;  // by rising score, the newest last
  for (int p = 0; p < static_cast<int>(r.tokens.size()); ++p) {
    (r.tokens[static_cast<size_t>(p)] == model.config().mask_id ? masks : decided).push_back(p);
  }
  std::vector<std::vector<PlainChoice>> steps;
  std::vector<int> rows(r.tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  while (!masks.empty()) {
    const size_t n_active = std::min(masks.size(), static_cast<size_t>(r.active));
    std::vector<int> active(masks.begin(), masks.begin() + static_cast<std::ptrdiff_t>(n_active));
    std::ranges::sort(active);
    if (!steps.empty()) {
      std::set<int> fed;
      for (size_t i = 0; i < masks.size() && i < static_cast<size_t>(r.masks); ++i) {
        fed.insert(masks[i] - shift);
      }
      const size_t newest = std::min(decided.size(), static_cast<size_t>(r.decided));
      fed.insert(decided.end() - static_cast<std::ptrdiff_t>(newest), decided.end());
      rows.assign(fed.begin(), fed.end());
    }
    const auto logits = model.logits(rows, r.tokens, cache);
    std::vector<PlainChoice> read;
    std::set<int> asking;
    for (const int p : active) {
      read.push_back(best_of(p, logits.at(p - shift), model.config().mask_id));
      asking.insert(p - shift);
    }
    const auto best = std::ranges::max_element(read, {}, &PlainChoice::probability);
    std::vector<PlainChoice> taken;
    std::vector<PlainChoice> left;
    for (auto it = read.begin(); it != read.end(); ++it) {
      (it == best || it->probability >= r.threshold ? taken : left).push_back(*it);
    }
    // Those that were decided before this step, the most attended last; then this step's.
    std::map<int, double> scores;
    for (const int p : decided) scores[p] = score(model, cache, asking, p);
    std::ranges::sort(decided, {}, [&](int p) { return scores[p]; });
    for (const PlainChoice& c : taken) {
      decided.push_back(c.position);
      r.tokens[static_cast<size_t>(c.position)] = c.token;
    }
    masks.erase(masks.begin(), masks.begin() + static_cast<std::ptrdiff_t>(n_active));
    std::ranges::stable_sort(left, std::greater<>(), &PlainChoice::probability);
    for (size_t i = 0; i < left.size(); ++i) {
      masks.insert(masks.begin() + static_cast<std::ptrdiff_t>(i), left[i].position);
    }
    steps.push_back(taken);
  }
  return steps;
}

}  // namespace unmask::testing
