// A cache of keys and values: what one layer keeps of one sequence between steps.
#pragma once

#include <utility>

#include "kernels/backend.h"

namespace unmask {

/// A slot holds one key and one value row. What a slot stands for is the method's business; keys
/// are stored after RoPE, so a slot needs no position.
class KvStore {
 public:
  /// Makes room for `slots` slots; their contents are undefined.
  void reset(Backend& backend, int slots, int width) {
    type_ = backend.activation_type();
    const size_t bytes = dense_bytes(slots, width, type_);
    if (keys_.bytes() < bytes || values_.bytes() < bytes || slots < slots_) {
      slots_ = 0;
      keys_ = {};  // free first: both at once would double the peak
      values_ = {};
      packed_ = {};
      keys_ = backend.allocate(bytes);
      values_ = backend.allocate(bytes);
    }
    slots_ = slots;
    width_ = width;
    packed_.forget();
  }
  /// The same, but the slots that there are keep their contents. Never makes the store smaller.
  void grow(Backend& backend, int slots, int width) {
    if (slots_ == 0) return reset(backend, slots, width);
    UNMASK_CHECK(slots >= slots_ && width == width_, "a store grows by slots");
    if (slots == slots_) return;
    const Rows kept(Range{0, slots_});
    for (Buffer* buffer : {&keys_, &values_}) {
      Buffer larger = backend.allocate(dense_bytes(slots, width, type_));
      backend.gather(buffer->view(slots_, width, type_), kept, larger.view(slots_, width, type_));
      *buffer = std::move(larger);
    }
    slots_ = slots;
    packed_.forget();
  }
  /// Becomes the first `slots` slots of another one.
  void copy(Backend& backend, const KvStore& other, int slots) {
    reset(backend, slots, other.width_);
    const Rows first(Range{0, slots});
    const KvView to = whole();
    backend.gather(other.keys_.view(other.slots_, width_, type_), first, to.k);
    backend.gather(other.values_.view(other.slots_, width_, type_), first, to.v);
  }
  int slots() const { return slots_; }
  /// Of one key and one value; 0 while there is no slot.
  size_t slot_bytes() const { return slots_ == 0 ? 0 : 2 * dense_bytes(1, width_, type_); }
  size_t bytes() const {
    return keys_.bytes() + values_.bytes() + packed_.keys.bytes() + packed_.values.bytes();
  }
  /// To be read. Valid until the store changes its size, as all views are.
  Tensor values() const { return values_.view(slots_, width_, type_); }
  /// To read or to write; attention then packs every slot again.
  KvView view() {
    packed_.forget();
    return whole();
  }
  /// Replaces some slots by the rows of `k` and `v`. What is returned is for attention to read; it
  /// packs no other slots than these.
  KvView put(Backend& backend, const Rows& slots, Tensor k, Tensor v) {
    backend.scatter(k, slots, whole().k);
    backend.scatter(v, slots, whole().v);
    packed_.forget(slots);
    return whole();
  }

  /// Replaces the values of some slots; their keys stay.
  void put_values(Backend& backend, const Rows& slots, Tensor v) {
    backend.scatter(v, slots, whole().v);
    packed_.forget(slots);
  }

 private:
  KvView whole() {
    return {keys_.view(slots_, width_, type_), values_.view(slots_, width_, type_), &packed_};
  }

  Buffer keys_;
  Buffer values_;
  PackedKv packed_;
  DType type_ = DType::f32;
  int slots_ = 0;
  int width_ = 0;
};

}  // namespace unmask
