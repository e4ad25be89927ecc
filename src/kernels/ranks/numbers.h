// The numbers under which rank 0 and the others know the same buffers, matrices and packed keys.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "kernels/backend.h"
#include "kernels/ranks/message.h"
#include "ranks/communicator.h"

namespace unmask {

/// Kept by rank 0. Buffers refer to it, and may go after their backend.
class Numbers {
 public:
  explicit Numbers(Communicator& ranks) : ranks_(ranks) {}

  bool leads = false;  // the others are to be told

  void tell(const MessageWriter& message) {
    if (leads) ranks_.send(message.bytes());
  }
  int add_buffer(const void* data, size_t bytes) {
    buffers_[static_cast<const std::byte*>(data)] = {next_buffer_, bytes};
    return next_buffer_++;
  }
  void remove_buffer(const void* data, int number) {
    buffers_.erase(static_cast<const std::byte*>(data));
    MessageWriter message(Call::free);
    message.put(int32_t{number});
    tell(message);
  }
  TensorPlace place(Tensor t) const {
    if (!t) return {};
    const auto* data = static_cast<const std::byte*>(t.data);
    auto found = buffers_.upper_bound(data);
    UNMASK_CHECK(found != buffers_.begin(), "a tensor in the backend's memory");
    --found;
    const auto offset = data - found->first;
    UNMASK_CHECK(static_cast<size_t>(offset) <= found->second.bytes,
                 "a tensor within a buffer of the backend");
    return {found->second.number, t.dtype, t.rows, t.cols, t.stride, offset};
  }
  void add_matrix(const PackedMatrix* matrix) {
    matrices_.emplace(matrix, static_cast<int32_t>(matrices_.size()));
  }
  int32_t number_of(const PackedMatrix* matrix) const { return matrices_.at(matrix); }

 private:
  struct Numbered {
    int32_t number;
    size_t bytes;
  };
  Communicator& ranks_;
  int32_t next_buffer_ = 0;
  std::map<const std::byte*, Numbered> buffers_;
  std::unordered_map<const PackedMatrix*, int32_t> matrices_;
};

/// Keys and values that a cache keeps packed, here and on the other ranks, which drop theirs with
/// the last reference. The cache's own buffer is a view of `keys`, by which it is found again
/// wherever the cache has moved.
class PackedKeys {
 public:
  PackedKeys(std::shared_ptr<Numbers> numbers, int32_t number)
      : numbers_(std::move(numbers)), number_(number) {}
  ~PackedKeys() {
    MessageWriter message(Call::forget_packed);
    message.put(number_);
    numbers_->tell(message);
  }
  PackedKeys(const PackedKeys&) = delete;
  PackedKeys& operator=(const PackedKeys&) = delete;
  int32_t number() const { return number_; }

  Buffer keys;

 private:
  std::shared_ptr<Numbers> numbers_;
  int32_t number_;
};

}  // namespace unmask
