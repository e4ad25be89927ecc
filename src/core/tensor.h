// Two-dimensional views and the memory behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "core/dtype.h"
#include "core/error.h"

namespace unmask {

/// Half-open range of positions or rows [begin, end).
struct Range {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
  bool contains(int position) const { return begin <= position && position < end; }
  bool operator==(const Range&) const = default;
};

/// Row-major view of `rows` x `cols` elements; owns nothing. Memory belongs to the backend that
/// allocated it. `stride` is the distance between rows in elements; the last dimension is
/// contiguous.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  int rows = 0;
  int cols = 0;
  int64_t stride = 0;

  explicit operator bool() const { return data != nullptr; }
  /// Rows [range.begin, range.end) of this view.
  Tensor slice(Range range) const;
  /// Columns [range.begin, range.end) of this view.
  Tensor columns(Range range) const;
  /// Row `r` of a float32 view in host memory.
  float* f32(int r = 0) const {
    return static_cast<float*>(data) + static_cast<int64_t>(r) * stride;
  }
};

/// Bytes of `rows` x `cols` elements that lie close together.
constexpr size_t dense_bytes(int rows, int cols, DType dtype) {
  return static_cast<size_t>(rows) * static_cast<size_t>(cols) * dtype_bytes(dtype);
}

/// Owner of one block of memory of a backend; movable, freed with it.
class Buffer {
 public:
  using Free = std::function<void(void*)>;
  Buffer() = default;
  Buffer(void* data, size_t bytes, Free free) : data_(data, std::move(free)), bytes_(bytes) {}

  void* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }
  /// The first `rows` x `cols` elements as a dense view. Throws LogicError when they do not fit.
  Tensor view(int rows, int cols, DType dtype = DType::f32) const;

 private:
  std::unique_ptr<void, Free> data_{nullptr, [](void*) {}};
  size_t bytes_ = 0;
};

/// Zeroed host memory, aligned to cache lines; on huge pages, where the kernel grants them, as far
/// as it fills them.
Buffer allocate_host(size_t bytes);

}  // namespace unmask
