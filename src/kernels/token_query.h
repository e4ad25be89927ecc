// How rows of logits are reduced, and to which statistics.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// How temperature randomises the choice of a token.
enum class Noise : uint8_t {
  gumbel,       // arg-max of logits - T log(-log u), float64 (LLaDA, generate.py)
  categorical,  // one draw from softmax(logits / T) after the filters (Dream)
  none          // the most likely token of that distribution
};

/// What a sampler asks of rows of logits.
struct TokenQuery {
  Noise noise = Noise::gumbel;
  double temperature = 0;            // 0: arg-max
  std::optional<double> top_p{};     // keep the smallest set reaching this mass; categorical
  std::optional<int> top_k{};        // keep the k largest; categorical
  bool top_k_first = false;          // before top_p (LLaDA2, SDAR) instead of after it (Dream)
  std::vector<TokenId> forbidden{};  // never chosen, but part of the distribution
  std::vector<TokenId> removed{};    // as if their logits were -inf
  std::vector<TokenId> without_confidence{};  // may be chosen, with probability 0
  uint64_t seed = 0;
  int step = 0;  // with a row's position the key of its random numbers
};

/// One row's distribution, reduced.
struct TokenStats {
  TokenId token = 0;      // the choice; ties go to the lower id
  float probability = 0;  // of that choice
  float margin = 0;       // largest minus second largest probability
  float neg_entropy = 0;  // sum p log p, in nats; larger = surer
};

}  // namespace unmask
