// Matrix products: who packs weights, and packed weights that multiply.
#pragma once

#include <memory>
#include <string_view>

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"
#include "kernels/weight_type.h"

namespace unmask::cpu {

/// Packed weights of y = x W^T. They work in the memory and on the threads of the Products that
/// packed them, which must outlive them; one product at a time.
class ProductMatrix : public PackedMatrix {
 public:
  /// out = x W^T + bias; x [rows, in], bias [1, out] or null, out [rows, out]. A row's result has
  /// the same bits whatever the number of threads and the rows beside it.
  virtual void multiply(Tensor x, Tensor bias, Tensor out) const = 0;

 protected:
  using PackedMatrix::PackedMatrix;
};

/// One way to compute products with one type of weights.
class Products {
 public:
  Products() = default;
  virtual ~Products() = default;
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  /// For reports, e.g. "bfloat16 by oneDNN".
  virtual std::string_view name() const = 0;
  /// Copies weights into the layout of the products. Throws Error for a matrix it cannot take.
  virtual std::unique_ptr<ProductMatrix> pack(const HostMatrix& weights) = 0;
};

/// oneDNN's products. `weights`: f32 or bf16, the type of packed weights and rounded inputs.
/// Throws Error when oneDNN has no product of that type on this processor.
std::unique_ptr<Products> create_onednn_products(DType weights, const KernelTable& table,
                                                 ThreadPool& pool);

/// Our own products; null when there are none for `weights` in `table`: f32 never, bf16 only with
/// the processor's instructions for it. int8 and int4 give the same bits with every table.
std::unique_ptr<Products> create_packed_products(WeightType weights, const KernelTable& table,
                                                 ThreadPool& pool);

}  // namespace unmask::cpu
