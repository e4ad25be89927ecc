// Attention of some heads, such as a rank's share of them.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "ranks/columns.h"

namespace unmask {

/// Backend::attention of one rank.
using Attend = std::function<void(std::span<const AttentionTask> tasks, const HeadShape& shape)>;

/// Backend::attention of some key heads and of the query heads that read them. Tasks without a
/// PackedKv, which has all heads, and without anything to measure.
void attend_heads(std::span<const AttentionTask> tasks, const HeadShape& shape, Range kv_heads,
                  const Attend& attend);

/// Of which every rank has the columns of its own heads.
struct HeadResults {
  std::vector<CutColumns> outs;
  std::vector<CutColumns> measured;  // what tasks ask for beside them
};

/// Backend::attention of all ranks, but for its results, which are to be gathered. Heads are cut
/// where key heads are, so what a PackedKv holds are the rank's own; with more ranks than key heads
/// some have none and compute products only.
HeadResults attend_own_heads(std::span<const AttentionTask> tasks, const HeadShape& shape,
                             const Attend& attend, const Communicator& ranks);

}  // namespace unmask
