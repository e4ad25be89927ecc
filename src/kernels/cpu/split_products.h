// Products of which every rank computes its share of each matrix's outputs (a decorator).
#pragma once

#include <memory>

#include "kernels/cpu/products.h"
#include "ranks/columns.h"

namespace unmask::cpu {

/// Packs this rank's part of a matrix only, multiplies by it, and gathers the outputs of all maps
/// of a call at once. `gather` outlives the result.
std::unique_ptr<Products> create_split_products(std::unique_ptr<Products> own,
                                                ColumnGather& gather);

}  // namespace unmask::cpu
