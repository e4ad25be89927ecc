// A backend of a device whose ranks have some outputs of each matrix and some of the heads (a
// decorator). Results are gathered in the device's memory, as soon as they are there and in the
// type in which they lie.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "kernels/backend.h"
#include "ranks/columns.h"

namespace unmask {

/// Completes matrices in a backend's memory (ColumnGather::run).
using GatherColumns = std::function<void(std::span<const CutColumns> matrices)>;

/// `own`: a backend that knows of no ranks; what it computes of some columns may differ in the last
/// bits from what it computes of all, so ranks agree with each other, but not with one process. Its
/// feed-forwards must be dense. All ranks make the same calls with the same values. `ranks`, the
/// host's, outlive the result.
std::unique_ptr<Backend> create_output_split(std::unique_ptr<Backend> own,
                                             const Communicator& ranks, GatherColumns gather);

}  // namespace unmask
