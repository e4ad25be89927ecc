// Attention in double precision on the host, for those who watch it: one head and one query at a
// time.
#pragma once

#include <span>
#include <vector>

#include "model/method.h"

namespace unmask {

/// One head's columns of a backend's tensor. [from.rows, head_dim]
std::vector<float> download_head(Backend& backend, Tensor from, int head, int head_dim);

/// Scaled scores of one query and every key; keys [out.size(), query.size()].
void attention_scores(std::span<const float> query, std::span<const float> keys,
                      std::span<double> out);

/// exp(s) / sum of exp(s), in place; -infinity becomes 0. At least one score is finite.
void softmax(std::span<double> scores);

/// Positions of the keys that `attention` offers to the queries of a key head. Throws Error when
/// the method looks at a cache and does not say what its slots stand for.
std::vector<int> key_positions(const Method& method, const AttendScope& scope,
                               const Attention& attention, int kv_head);

}  // namespace unmask
