// Preconditions of an attention task, checked by every backend.
#pragma once

#include <algorithm>

#include "kernels/backend.h"

namespace unmask {

/// Throws LogicError when shapes, pattern and measurement of a task do not fit each other.
inline void check_attention(const AttentionTask& task, const HeadShape& shape) {
  const int slots = task.kv.k.rows;
  UNMASK_CHECK(slots > 0, "attention over no keys");
  UNMASK_CHECK(task.q.cols == shape.n_heads * shape.head_dim &&
                   task.kv.k.cols == shape.n_kv_heads * shape.head_dim &&
                   task.kv.v.cols == task.kv.k.cols && task.kv.v.rows == slots,
               "shapes of an attention");
  if (const BlockPattern* p = task.pattern) {
    UNMASK_CHECK(p->complete() && p->n_heads() == shape.n_heads &&
                     (slots + p->block_size() - 1) / p->block_size() == p->n_blocks(),
                 "a pattern for these heads and slots");
    UNMASK_CHECK(
        static_cast<int>(task.positions.size()) == task.q.rows &&
            (task.q.rows == 0 || (task.positions.front() >= 0 && task.positions.back() < slots)),
        "positions of the queries of a pattern");
  }
  if (task.importance != nullptr) {
    UNMASK_CHECK(task.pattern == nullptr && task.key_ends.empty() && task.q.rows == slots,
                 "importance is measured over all positions");
  }
  if (!task.key_ends.empty()) {
    UNMASK_CHECK(task.pattern == nullptr, "key ends have no pattern beside them");
    UNMASK_CHECK(static_cast<int>(task.key_ends.size()) == task.q.rows, "key ends of the queries");
    const auto [least, most] = std::minmax_element(task.key_ends.begin(), task.key_ends.end());
    UNMASK_CHECK(*least >= 1 && *most <= slots, "key ends within the slots");
  }
}

}  // namespace unmask
