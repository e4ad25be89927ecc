// A model that fits on a page, for what needs the names and shapes of tensors.
#pragma once

#include "io/model_config.h"

namespace unmask::testing {

inline ModelConfig small(Family family) {
  ModelConfig config;
  config.family = family;
  config.vocab_size = 10;
  config.dim = 8;
  config.n_layers = 2;
  config.n_heads = 2;
  config.n_kv_heads = 1;
  config.head_dim = 4;
  config.ffn_dim = 6;
  config.qkv_bias = family == Family::dream;
  return config;
}

}  // namespace unmask::testing
