// The intermediate activations of a forward pass: memory that grows to the largest pass so far and
// is reused by the next.
#pragma once

#include <array>

#include "kernels/backend.h"

namespace unmask {

class Workspace {
 public:
  enum Use : uint8_t {
    residual,   // [rows, dim], the residual stream
    picked,     // [wanted rows, dim] of it
    kept,       // [rows, dim] of it, on their way past a cut
    normed,     // [rows, dim]
    output,     // [rows, dim], what a sublayer gives, and rows gathered for the next
    ffn_input,  // [tile, dim]
    queries,    // [rows, n_heads * head_dim]
    context,    // [rows, n_heads * head_dim], the output of attention before its product
    keys,       // [rows, n_kv_heads * head_dim]
    values,     // [rows, n_kv_heads * head_dim]
    gate,       // [tile, ffn_dim]
    uses
  };

  /// `backend` outlives the workspace.
  explicit Workspace(Backend& backend) : backend_(backend) {}

  /// Memory of one use; the contents are lost when it grows.
  Tensor fit(Use use, int rows, int cols, DType type) {
    const size_t bytes = dense_bytes(rows, cols, type);
    Buffer& buffer = buffers_[use];
    if (buffer.bytes() < bytes) {
      buffer = {};  // free first: both at once would double the peak
      buffer = backend_.allocate(bytes);
    }
    return buffer.view(rows, cols, type);
  }
  /// The same in the type of intermediate activations.
  Tensor fit(Use use, int rows, int cols) {
    return fit(use, rows, cols, backend_.activation_type());
  }

  void release() { buffers_ = {}; }
  size_t bytes() const {
    size_t sum = 0;
    for (const Buffer& buffer : buffers_) sum += buffer.bytes();
    return sum;
  }

 private:
  Backend& backend_;
  std::array<Buffer, uses> buffers_;
};

}  // namespace unmask
