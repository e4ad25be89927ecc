// Runs a kernel on emulated blocks, one after the other.
#pragma once

#include "kernels/cuda/emulator/block.h"

namespace unmask::cuda::emulator {

struct Launch {
  int blocks = 1;
  int threads = 128;
  uint32_t shared_bytes = 0;
  uint64_t seed = 1;
  Fault fault = Fault::none;
};

/// Runs `kernel` in every thread of every block. Throws Defect.
template <typename Kernel>
void run(const Launch& launch, const Kernel& kernel) {
  for (int b = 0; b < launch.blocks; ++b) {
    Block block({launch.threads, launch.shared_bytes, b, launch.blocks}, launch.fault,
                launch.seed * 1000003 + static_cast<uint64_t>(b));
    block.run(kernel);
  }
}

}  // namespace unmask::cuda::emulator
