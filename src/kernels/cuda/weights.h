// Weights and the table of embeddings on the device.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/work.h"

namespace unmask::cuda {

/// bfloat16, [out, depth], the depth padded with zeros; blocks are dequantized and rounded.
class DeviceMatrix final : public PackedMatrix {
 public:
  /// Matrices of one depth, one behind the other, so that a product can read them as one.
  static std::vector<std::unique_ptr<PackedMatrix>> pack(Device& device,
                                                         std::span<const HostMatrix> weights);

  size_t bytes() const override { return size() * sizeof(Bf16); }
  int depth() const { return depth_; }
  const Bf16* values() const { return values_; }
  /// True when this lies right behind `other`.
  bool follows(const DeviceMatrix& other) const {
    return memory_ == other.memory_ && values_ == other.values_ + other.size();
  }

 private:
  DeviceMatrix(const HostMatrix& shape, int depth, std::shared_ptr<Buffer> memory, Bf16* values)
      : PackedMatrix(shape.out, shape.in),
        depth_(depth),
        memory_(std::move(memory)),
        values_(values) {}
  size_t size() const { return static_cast<size_t>(out()) * static_cast<size_t>(depth_); }

  int depth_;
  std::shared_ptr<Buffer> memory_;  // of all that were packed together
  Bf16* values_;
};

inline const DeviceMatrix& matrix_of(const PackedMatrix* weights) {
  return dynamic_cast<const DeviceMatrix&>(*weights);
}

/// How many of the first maps can be one product: some that are stored, or a gate and what it
/// multiplies.
size_t count_joined(std::span<const LinearMap> maps);

/// The table of embeddings, of which rows are gathered: bfloat16 where it came so, else
/// float32.
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
