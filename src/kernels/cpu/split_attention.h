// Attention of which every rank computes its share of the heads.
#pragma once

#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/attention.h"
#include "ranks/columns.h"

namespace unmask::cpu {

/// Backend::attention of all ranks. Heads are cut where key heads are, so what a PackedKv holds are
/// the rank's own; with more ranks than key heads some have none and compute products only.
void attend_own_heads(std::span<const AttentionTask> tasks, const HeadShape& shape,
                      Attention& attention, ColumnGather& gather);

}  // namespace unmask::cpu
