// Lists of row numbers, positions and tokens on the device. A step asks for the same lists in every
// layer, so the last ones stay there, found again by their content.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "kernels/cuda/device.h"

namespace unmask::cuda {

class IndexLists {
 public:
  explicit IndexLists(Device& device) : device_(device) {}

  /// The list on the device, until kKept others were asked for.
  const int* on_device(std::span<const int> list);

  static constexpr int kKept = 16;  // a layer of a cache method asks for about ten

 private:
  struct Entry {
    std::vector<int> list;
    Buffer memory;
    uint64_t last_use = 0;
  };

  Device& device_;
  std::array<Entry, kKept> entries_;
  uint64_t uses_ = 0;
};

}  // namespace unmask::cuda
