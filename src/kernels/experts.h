// A feed-forward made of experts, of which every row takes a few: what Backend::experts computes.
#pragma once

#include <span>
#include <vector>

#include "core/tensor.h"
#include "kernels/routing.h"

namespace unmask {

class PackedMatrix;

/// One gated feed-forward: down(silu(gate x) * up x).
struct GatedMaps {
  const PackedMatrix* gate = nullptr;  // [width, dim]
  const PackedMatrix* up = nullptr;    // [width, dim]
  const PackedMatrix* down = nullptr;  // [dim, width]
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
