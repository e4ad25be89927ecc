// Completes matrices in the device's memory of which each rank has its own columns.
#pragma once

#include <memory>
#include <span>

#include "kernels/cuda/device.h"
#include "ranks/columns.h"

namespace unmask::cuda {

/// Ranks that gather in the device's memory. All ranks make them at the same time. Plain C++:
/// device_ranks.cc implements it with NCCL, tests implement it on the host.
std::unique_ptr<Communicator> create_device_ranks(Communicator& host, Device& device);
/// Throws Error where create_device_ranks() would find no library.
void require_device_ranks();

class DeviceGather {
 public:
  /// `device` outlives this.
  DeviceGather(Device& device, std::unique_ptr<Communicator> ranks)
      : device_(device), ranks_(std::move(ranks)) {}

  /// Queues what ColumnGather::run does. Nothing waits for the host.
  void run(std::span<const CutColumns> matrices);

 private:
  /// Copies between a rank's columns and where they travel.
  enum class Way { out, in };
  void copy(std::span<const CutColumns> matrices, int rank, std::byte* dense, Way way);

  Device& device_;
  std::unique_ptr<Communicator> ranks_;
  Scratch own_{device_};
  Scratch all_{device_};
};

}  // namespace unmask::cuda
