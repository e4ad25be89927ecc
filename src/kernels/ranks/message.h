// What rank 0 tells the others: one call of its backend a message, as plain bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/rows.h"

namespace unmask {

/// The functions of Backend that change memory, and what belongs to leading.
enum class Call : uint8_t {
  allocate,
  free,
  forget_packed,  // keys and values that a cache had packed
  upload,
  embed,
  linear,
  experts,
  rms_norm,
  rope,
  attention,
  add,
  extrapolate,
  gather,
  scatter,
  complete,  // a tensor that rank 0 reads
  compare,   // the hashes of what was computed
  end        // rank 0 calls no more
};

/// A tensor by the number of its buffer; -1: no tensor.
struct TensorPlace {
  int32_t buffer = -1;
  DType dtype = DType::f32;
  int32_t rows = 0;
  int32_t cols = 0;
  int64_t stride = 0;
  int64_t offset = 0;  // bytes from the buffer's beginning
};

class MessageWriter {
 public:
  explicit MessageWriter(Call call) { put(call); }

  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(&value, sizeof value);
  }
  template <typename T>
  void put_list(std::span<const T> list) {
    static_assert(std::is_trivially_copyable_v<T>);
    put(list.size());
    append(list.data(), list.size_bytes());
  }
  void put_list(const Rows& rows) { put_list(std::span(rows.begin(), rows.end())); }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void append(const void* data, size_t size) {
    const auto* from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }

  std::vector<std::byte> bytes_;
};

class MessageReader {
 public:
  explicit MessageReader(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  T get() {
    T value;
    take(&value, sizeof value);
    return value;
  }
  template <typename T>
  std::vector<T> get_list() {
    const auto n = get<size_t>();
    UNMASK_CHECK(n <= (bytes_.size() - at_) / sizeof(T), "a list that fits its message");
    std::vector<T> list(n);
    take(list.data(), n * sizeof(T));
    return list;
  }

 private:
  void take(void* to, size_t size) {
    UNMASK_CHECK(size <= bytes_.size() - at_, "a message as long as what is read of it");
    if (size > 0) std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }

  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace unmask
