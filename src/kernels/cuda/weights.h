// Weights and the table of embeddings on the device.
#pragma once

#include <optional>

#include "kernels/backend.h"
#include "kernels/cuda/device.h"

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

/// A table of which rows are gathered: bfloat16 where it came so, else float32.
class DeviceTable {
 public:
  DeviceTable(Device& device, const HostMatrix& table);

  /// True when this is a copy of `table`.
  bool holds(const HostMatrix& table) const;
  bool narrow() const { return source_.dtype == DType::bf16; }
  void* values() const { return values_.data(); }

 private:
  HostMatrix source_;
  Buffer values_;
};

}  // namespace unmask::cuda
