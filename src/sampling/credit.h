// CreditDecoding (arXiv 2510.06133): a token that a masked position proposes again and again is
// taken for surer than the last pass alone says.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace unmask {

struct CreditRule {
  double decay = 0.8;   // of what earlier passes gave, a pass
  double power = 0.2;   // of the probability of a proposal that is added
  double weight = 0.7;  // of log(1 + credit), which is added to the logit
};

/// Credits of one block: C[position, token], 0 but for tokens that were once the most likely ones
/// of their positions. With w = (1 + C)^weight the distribution p becomes
///     p'[k] = p[k] w[k] / (1 + sum_j p[j] (w[j] - 1)),
/// where only tokens with credit add to the sum: the softmax of logits + weight log(1 + C), without
/// touching the vocabulary.
class Credit {
 public:
  explicit Credit(const CreditRule& rule) : rule_(rule) {}

  /// A pass begins. Another block begins without credit.
  void begin_pass(int block_begin);
  /// Credits the proposal of a row, `stats` of its `logits` [vocab], and makes it the proposal of
  /// p'. A proposal without probability (end tokens that are deferred) stays as it is.
  void vote(int position, std::span<const float> logits, TokenStats& stats);

 private:
  struct Share {
    TokenId token;
    double credit;
  };

  CreditRule rule_;
  int block_begin_ = -1;
  std::map<int, std::vector<Share>> shares_;  // by position
};

}  // namespace unmask
