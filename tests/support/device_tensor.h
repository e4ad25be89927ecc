// Host values on a backend whose memory the host cannot reach, and back.
#pragma once

#include <vector>

#include "kernels/backend.h"

namespace unmask::testing {

/// A copy of a float32 tensor of the host in the memory of a backend, rows as far apart.
class DeviceTensor {
 public:
  DeviceTensor(Backend& backend, Tensor host, DType type = DType::f32)
      : backend_(backend),
        memory_(backend.allocate(dense_bytes(host.rows, static_cast<int>(host.stride), type))),
        view_(host) {
    view_.data = memory_.data();
    view_.dtype = type;
    std::vector<float> dense;
    for (int r = 0; r < host.rows; ++r) {
      dense.insert(dense.end(), host.f32(r), host.f32(r) + host.cols);
    }
    backend.upload(dense.data(), view_);
  }

  Tensor view() const { return view_; }
  /// Dense rows.
  std::vector<float> values() const {
    std::vector<float> out(static_cast<size_t>(view_.rows) * static_cast<size_t>(view_.cols));
    backend_.download(view_, out.data());
    return out;
  }

 private:
  Backend& backend_;
  Buffer memory_;
  Tensor view_;
};

}  // namespace unmask::testing
