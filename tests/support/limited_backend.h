// A backend that counts the memory it has given out and can run out of it.
#pragma once

#include <limits>
#include <memory>
#include <utility>

#include "core/error.h"
#include "kernels/backend_wrapper.h"

namespace unmask::testing {

class LimitedBackend : public BackendWrapper {
 public:
  using BackendWrapper::BackendWrapper;

  Buffer allocate(size_t bytes) override {
    if (allocations_left_ == 0) {
      refused_ = true;
      fail("[test] out of memory");
    }
    --allocations_left_;
    Buffer inner = BackendWrapper::allocate(bytes);
    void* const address = inner.data();
    auto held = std::make_shared<Buffer>(std::move(inner));
    live_bytes_ += bytes;
    return {address, bytes, [this, held, bytes](void*) mutable {
              live_bytes_ -= bytes;
              held.reset();
            }};
  }

  size_t live_bytes() const { return live_bytes_; }
  /// Everything after `n` more allocations fails.
  void fail_after(int n) { allocations_left_ = n; }
  void never_fail() { allocations_left_ = std::numeric_limits<int>::max(); }
  bool refused() const { return refused_; }

 private:
  size_t live_bytes_ = 0;
  bool refused_ = false;
  int allocations_left_ = std::numeric_limits<int>::max();
};

}  // namespace unmask::testing
