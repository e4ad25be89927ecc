// Keys and values that one sequence keeps between steps in one layer.
#pragma once

#include "kernels/backend.h"

namespace unmask {

/// A slot holds one key and one value row. What a slot stands for is the method's business; keys
/// are stored after RoPE, so a slot needs no position.
class KvStore {
 public:
  /// Contents are undefined afterwards unless the size stays the same.
  void resize(Backend& backend, int slots, int width) {
    const size_t bytes = static_cast<size_t>(slots) * static_cast<size_t>(width) * sizeof(float);
    if (keys_.bytes() < bytes || slots < slots_) {
      keys_ = backend.allocate(bytes);
      values_ = backend.allocate(bytes);
    }
    slots_ = slots;
    width_ = width;
  }
  int slots() const { return slots_; }
  size_t bytes() const { return keys_.bytes() + values_.bytes(); }
  Tensor keys() const { return keys_.view(slots_, width_); }
  Tensor values() const { return values_.view(slots_, width_); }
  KvView view() const { return {keys(), values()}; }

 private:
  Buffer keys_;
  Buffer values_;
  int slots_ = 0;
  int width_ = 0;
};

}  // namespace unmask
