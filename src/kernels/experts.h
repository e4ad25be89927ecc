// A feed-forward made of experts, of which every row takes a few: what Backend::experts computes.
#pragma once

#include <span>
#include <vector>

#include "core/tensor.h"

namespace unmask {

class PackedMatrix;

/// One gated feed-forward: down(silu(gate x) * up x).
struct GatedMaps {
  const PackedMatrix* gate = nullptr;  // [width, dim]
  const PackedMatrix* up = nullptr;    // [width, dim]
  const PackedMatrix* down = nullptr;  // [dim, width]
};

/// How a row comes to its experts. The router gives it one logit an expert, which become scores: a
/// softmax over all experts or, one by one, a sigmoid. The row takes the `top_k` best; equal ones
/// in order of their index.
struct Routing {
  int top_k = 1;
  bool sigmoid = false;
  bool normalized = false;  // weights: the scores over their sum, instead of as they are
  float scale = 1;          // of the weights
  /// Experts side by side form groups. A row takes experts of the `groups_kept` best ones only,
  /// which is told by the sum of the two best in a group (LLaDA2).
  int groups = 1;
  int groups_kept = 1;
};

struct RoutedExpert {
  int expert = 0;
  float weight = 0;
};

/// The experts of a row with these logits, by ascending index. `bias`: a number an expert, added to
/// the scores where they are compared but not in the weights; empty: none.
std::vector<RoutedExpert> choose_experts(std::span<const float> logits, std::span<const float> bias,
                                         const Routing& routing);

/// The outputs of a row's experts are added up, weighted.
struct Experts {
  Tensor router;         // [experts, dim], float32
  Tensor router_bias{};  // [1, experts], float32, or null
  std::span<const GatedMaps> maps;
  const GatedMaps* shared = nullptr;  // null: none; else its output is added for every row, once
  Routing routing{};
};

}  // namespace unmask
