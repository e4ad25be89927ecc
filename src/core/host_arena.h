// Host memory for many pieces that stay as long as a model does.
#pragma once

#include <memory>
#include <mutex>

#include "core/tensor.h"

namespace unmask {

/// Hands out zeroed pieces of large blocks that lie on huge pages. A model of experts has tens of
/// thousands of matrices of half a megabyte, too small for huge pages of their own; in small ones
/// they took 1.2 times as long and more (docs/benchmarks.md, "Other families").
class HostArena {
 public:
  /// Aligned to cache lines. A block is freed with the last of its pieces, the present one not
  /// before the arena. Throws Error when memory is missing. Any thread may call.
  Buffer allocate(size_t bytes);

 private:
  std::mutex mutex_;
  std::shared_ptr<std::byte> block_;
  size_t used_ = 0;  // bytes of the block
};

}  // namespace unmask
