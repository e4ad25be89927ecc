// A backend whose ranks have some outputs of each matrix and some of the heads (a decorator;
// tensor parallelism without cut sums).
#pragma once

#include <functional>
#include <memory>

#include "kernels/backend.h"
#include "ranks/split_columns.h"

namespace unmask {

/// `create`: a backend that computes its share of products and attention, and leaves what it does
/// not gather at once in `columns`; around it, whatever else reads a tensor gets all of it. All
/// ranks make the same calls with the same values. `ranks` outlives the result.
std::unique_ptr<Backend> create_column_split(
    Communicator& ranks,
    const std::function<std::unique_ptr<Backend>(SplitColumns& columns)>& create);

}  // namespace unmask
