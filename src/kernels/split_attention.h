// Attention of which every rank computes its share of the heads.
#pragma once

#include <functional>
#include <span>

#include "kernels/backend.h"
#include "ranks/columns.h"

namespace unmask {

/// Backend::attention of one rank.
using Attend = std::function<void(std::span<const AttentionTask> tasks, const HeadShape& shape)>;

/// Backend::attention of all ranks. Heads are cut where key heads are, so what a PackedKv holds are
/// the rank's own; with more ranks than key heads some have none and compute products only.
void attend_own_heads(std::span<const AttentionTask> tasks, const HeadShape& shape,
                      const Attend& attend, ColumnGather& gather);

}  // namespace unmask
