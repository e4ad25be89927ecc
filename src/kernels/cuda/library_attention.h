// Full attention by a library instead of our kernels, for those who ask for it. Plain C++:
// library_attention.cc implements it with cuDNN, tests on the host.
#pragma once

#include <memory>

#include "kernels/cuda/device.h"

namespace unmask::cuda {

class LibraryAttention {
 public:
  virtual ~LibraryAttention() = default;
  /// Queues full attention without a log-sum-exp. Throws Error where the library is missing or does
  /// not take the shape.
  virtual void run(const DeviceAttention& task) = 0;
};

std::unique_ptr<LibraryAttention> create_library_attention(Device& device);

}  // namespace unmask::cuda
