// Matrix products by oneDNN: the bar that our own are measured against.
#pragma once

#include <memory>

#include "kernels/cpu/products.h"

namespace unmask::benchmarks {

/// `weights`: f32 or bf16, the type of packed weights and rounded inputs. Throws Error when oneDNN
/// has no product of that type on this processor.
std::unique_ptr<cpu::Products> create_onednn_products(DType weights, const cpu::KernelTable& table,
                                                      ThreadPool& pool);

}  // namespace unmask::benchmarks
