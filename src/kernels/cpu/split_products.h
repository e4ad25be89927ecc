// Products of which every rank computes its share of each matrix's outputs (a decorator).
#pragma once

#include <memory>

#include "kernels/cpu/products.h"
#include "ranks/split_columns.h"

namespace unmask::cpu {

/// Packs this rank's part of a matrix only, multiplies by it, and gathers the outputs of all maps
/// of a call at once, but for those behind a gate: they are inputs of the next product, which
/// gathers them as it reads them, in a quarter of the bytes where that is int8. `columns` outlives
/// the result.
std::unique_ptr<Products> create_split_products(std::unique_ptr<LocalProducts> own,
                                                SplitColumns& columns);

}  // namespace unmask::cpu
