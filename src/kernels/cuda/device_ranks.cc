// Ranks of devices over NCCL.
#include "kernels/cuda/device_gather.h"
#include "kernels/cuda/nccl_ranks.h"

namespace unmask::cuda {

std::unique_ptr<Communicator> create_device_ranks(Communicator& host, Device& device) {
  return std::make_unique<NcclRanks>(nccl(), host, device.stream());
}

void require_device_ranks() { nccl(); }

}  // namespace unmask::cuda
