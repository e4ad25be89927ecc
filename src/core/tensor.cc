#include "core/tensor.h"

#include <cstdlib>
#include <cstring>

#include "core/platform/memory.h"

namespace unmask {

Tensor Tensor::slice(Range range) const {
  UNMASK_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= rows,
               "row range outside the tensor");
  const auto offset = static_cast<int64_t>(range.begin) * stride;
  return {static_cast<std::byte*>(data) + offset * static_cast<int64_t>(dtype_bytes(dtype)), dtype,
          range.size(), cols, stride};
}

Tensor Tensor::columns(Range range) const {
  UNMASK_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= cols,
               "column range outside the tensor");
  return {static_cast<std::byte*>(data) + range.begin * static_cast<int64_t>(dtype_bytes(dtype)),
          dtype, rows, range.size(), stride};
}

Tensor Buffer::view(int rows, int cols, DType dtype) const {
  UNMASK_CHECK(dense_bytes(rows, cols, dtype) <= bytes_, "buffer smaller than the view");
  return {data(), dtype, rows, cols, cols};
}

Buffer allocate_host(size_t bytes) {
  // The end that fills no huge page stays in small ones, so none is taken for a part of it.
  const size_t huge = bytes / kHugePage * kHugePage;
  const size_t alignment = huge > 0 ? kHugePage : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (data == nullptr) fail("out of memory: could not allocate {} bytes", bytes);
  if (huge > 0) prefer_huge_pages(data, huge);
  std::memset(data, 0, bytes);
  return {data, bytes, [](void* p) { std::free(p); }};
}

}  // namespace unmask
