// The panels in which the CPU's products read weights (kernels/cpu/weight_layout.h), seen from
// outside: to write them to a file, and to get the weights back. They are the same on every
// processor.
#pragma once

#include <cstddef>
#include <optional>

#include "core/parallel.h"
#include "kernels/host_matrix.h"

namespace unmask {

/// Bytes of all panels of a matrix of that shape, in panels of its `blocks` or else of `format`;
/// none for `stored` without blocks.
std::optional<size_t> panels_bytes(const HostMatrix& matrix);

/// Packs `matrix`, which lies in rows, into zeroed memory of panels_bytes(). The weights are those
/// that a backend computes with.
void pack_panels(const HostMatrix& matrix, ThreadPool& pool, std::byte* to);

/// Row `r` of a matrix in panels, as float32: the values that were packed, rounded as its format
/// rounds them.
void unpack_row(const HostMatrix& matrix, int r, float* to);

}  // namespace unmask
