// Matrix products: who packs weights and multiplies by them.
#pragma once

#include <memory>
#include <string_view>

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"
#include "kernels/weight_type.h"

namespace unmask::cpu {

class InputRows;
class Products;

/// A packed matrix, which knows who multiplies by it.
class CpuMatrix : public PackedMatrix {
 public:
  Products& products() const { return products_; }

 protected:
  CpuMatrix(const HostMatrix& shape, Products& products)
      : PackedMatrix(shape.out, shape.in), products_(products) {}

 private:
  Products& products_;
};

/// One way to compute products with one type of weights.
class Products {
 public:
  Products() = default;
  virtual ~Products() = default;
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  /// For reports, e.g. "bfloat16 packed".
  virtual std::string_view name() const = 0;
  /// Copies weights into the layout of the products, which must outlive them. Throws Error for a
  /// matrix it cannot take.
  virtual std::unique_ptr<CpuMatrix> pack(const HostMatrix& weights) = 0;
  /// Backend::linear of matrices that pack() returned. A row's result has the same bits whatever
  /// the number of threads, the rows beside it and the maps that share its input.
  /// `rows`: by map the rows of x that it takes, as many as its output has, at least one; empty:
  /// every map takes all.
  virtual void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) = 0;
  void multiply(Tensor x, std::span<const LinearMap> maps) { multiply(x, maps, {}); }
};

/// Products of this process alone, whose rows are packed apart from them.
class LocalProducts : public Products {
 public:
  virtual InputRows& inputs() = 0;
  /// multiply() of `n_rows` rows as inputs() packs them, which are needed until it returns.
  virtual void multiply_packed(const PackedRows& x, int n_rows, std::span<const LinearMap> maps,
                               std::span<const Range> rows) = 0;
  using Products::multiply;
  void multiply(Tensor x, std::span<const LinearMap> maps, std::span<const Range> rows) final;
};

/// Our own products. Those of `stored` take matrices in blocks, which may differ in format. int8,
/// int4 and blocks give the same bits with every table; float32, and bfloat16 with inputs of
/// float32, with every table but the plain one.
std::unique_ptr<LocalProducts> create_packed_products(WeightType weights, const KernelTable& table,
                                                      ThreadPool& pool);

}  // namespace unmask::cpu
