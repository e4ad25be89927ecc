#include "sampling/credit.h"

#include <algorithm>
#include <cmath>

namespace unmask {

void Credit::begin_pass(int block_begin) {
  if (block_begin != block_begin_) shares_.clear();
  block_begin_ = block_begin;
  for (auto& [position, shares] : shares_) {
    for (Share& share : shares) share.credit *= rule_.decay;
  }
}

void Credit::vote(int position, std::span<const float> logits, TokenStats& stats) {
  if (stats.probability <= 0) return;
  std::vector<Share>& shares = shares_[position];
  auto own = std::ranges::find(shares, stats.token, &Share::token);
  if (own == shares.end()) own = shares.insert(own, Share{stats.token, 0});
  own->credit += std::pow(static_cast<double>(stats.probability), rule_.power);

  const double top = logits[static_cast<size_t>(stats.token)];
  double whole = 1;
  TokenStats best;
  double most = -1;
  for (const Share& share : shares) {
    const double logit = logits[static_cast<size_t>(share.token)];
    const double p = stats.probability * std::exp(logit - top);
    const double raised = p * std::pow(1 + share.credit, rule_.weight);
    whole += raised - p;
    if (raised > most || (raised == most && share.token < best.token)) {
      most = raised;
      best.token = share.token;
    }
  }
  stats.token = best.token;
  stats.probability = static_cast<float>(most / whole);
}

}  // namespace unmask
