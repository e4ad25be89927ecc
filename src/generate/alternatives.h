// What the model thought of a position when it was decided.
#pragma once

#include <span>
#include <vector>

#include "core/dtype.h"

namespace unmask {

struct TokenProbability {
  TokenId token = 0;
  float log_probability = 0;  // natural
};

/// Of the step that decided a token, given the canvas at that time: before temperature and filters,
/// whatever the sampler made of it. Values of several positions do not multiply to a likelihood.
struct Alternatives {
  float log_probability = 0;            // of the token that was decided
  std::vector<TokenProbability> top{};  // the most likely tokens, largest first
};

/// Of a row of logits: `token` and the `count` most likely tokens; ties go to the lower id.
Alternatives find_alternatives(std::span<const float> logits, TokenId token, int count);

}  // namespace unmask
