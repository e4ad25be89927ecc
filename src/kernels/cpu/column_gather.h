// What a pattern of columns attends to: some slots of one head, side by side in packed form, so
// that the dense kernel's work is that of the slots it keeps.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Whether the task has a pattern whose lists name keys and not blocks of them.
inline bool reads_columns(const AttentionTask& task) {
  return task.pattern != nullptr && task.pattern->key_size() != task.pattern->block_size();
}

/// Bytes that gather_head() takes for so many slots.
int64_t gathered_bytes(const AttentionKernels& kernels, int slots, int head_dim);
/// Packs these slots of one head, k and v [slots, head_dim] of `head`, into `room`, which begins a
/// cache line.
PackedHead gather_head(const AttentionKernels& kernels, const KvView& head,
                       std::span<const uint16_t> slots, std::byte* room);

}  // namespace unmask::cpu
