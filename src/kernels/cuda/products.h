// Matrix products on the device. Plain C++: products.cc implements them with cuBLASLt, tests
// implement them on the host.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// Elements of a row are padded with zeros to a multiple of this: 16 bytes, what the fast kernels
/// load at once.
inline constexpr int kDepthMultiple = 8;

/// Rows of bfloat16 that a product reads.
struct Operand {
  const Bf16* data;
  int64_t stride;  // a multiple of kDepthMultiple
};

/// out = x weights^T + bias, or what is added to out; summed in float32.
struct Product {
  const Bf16* x = nullptr;        // [rows, depth]
  int64_t x_stride = 0;           // a multiple of kDepthMultiple
  const Bf16* weights = nullptr;  // [cols, depth], dense
  View bias{};                    // [1, cols], of the type of out, or null
  View out;                       // [rows, cols]
  int rows = 0;
  int cols = 0;
  int depth = 0;      // a multiple of kDepthMultiple
  bool adds = false;  // to what is in out
};

class Products {
 public:
  /// Throws Error when the library does not start. `device` must outlive it. `tunes`: the first
  /// products of a shape time what the library offers, instead of taking its first choice.
  Products(Device& device, bool tunes);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  /// For reports.
  std::string name() const;
  /// Queues a product. Throws Error naming the shape when no algorithm computes it.
  void run(const Product& product);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unmask::cuda
