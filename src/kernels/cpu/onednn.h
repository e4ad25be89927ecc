// Matrix products by oneDNN, cut into single-threaded pieces that our own pool runs.
//
// Why the pieces: oneDNN chooses its summation order by shape and thread count. Each piece is a
// fixed panel of output columns times a tile of rows, on one thread, so the result of a row depends
// neither on the number of threads nor on the rows beside it, and no second thread pool competes.
#pragma once

#include <memory>

#include "core/parallel.h"
#include "kernels/backend.h"

namespace unmask::cpu {

class Products {
 public:
  /// `weights`: f32 or bf16. Throws Error when oneDNN has no product of that type on this
  /// processor.
  Products(DType weights, ThreadPool& pool);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights);
  /// out = x W^T + bias. `x` is bf16 or f32, as the weights are, with dense rows; `bias` may be
  /// null.
  void run(Tensor x, const PackedMatrix& weights, Tensor bias, Tensor out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmask::cpu
