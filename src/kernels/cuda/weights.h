// Weights and the table of embeddings on the device.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// bfloat16, [out, depth], the depth padded with zeros.
class DeviceMatrix final : public PackedMatrix {
 public:
  DeviceMatrix(Device& device, const HostMatrix& weights);

  size_t bytes() const override { return values_.bytes(); }
  int depth() const { return depth_; }
  const Bf16* values() const { return static_cast<const Bf16*>(values_.data()); }

 private:
  int depth_;
  Buffer values_;
};

/// The table of embeddings, of which rows are gathered: bfloat16 where it came so, else float32.
class DeviceTable {
 public:
  explicit DeviceTable(Device& device) : device_(device) {}

  /// The rows of `table` on the device; they stay there until another table is asked for.
  View rows(const HostMatrix& table);

 private:
  Device& device_;
  HostMatrix source_;
  Buffer values_;
};

}  // namespace unmask::cuda
