// Arrays on the device for the checks of kernels.
#pragma once

#include <vector>

#include "kernels/cuda/device.h"

namespace unmask::tools {

/// `count` values on the device, zero or copies of host values.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(cuda::Device& device, size_t count)
      : device_(device), count_(count), buffer_(device.allocate(count * sizeof(T))) {}
  DeviceArray(cuda::Device& device, const T* host, size_t count) : DeviceArray(device, count) {
    device_.upload(host, rows());
  }
  DeviceArray(cuda::Device& device, const std::vector<T>& host)
      : DeviceArray(device, host.data(), host.size()) {}

  T* data() const { return static_cast<T*>(buffer_.data()); }
  size_t size() const { return count_; }
  void download(T* host) const { device_.download(rows(), host); }
  std::vector<T> download() const {
    std::vector<T> host(count_);
    download(host.data());
    return host;
  }

 private:
  cuda::DeviceRows rows() const {
    return {buffer_.data(), count_ * sizeof(T), count_ * sizeof(T), 1};
  }

  cuda::Device& device_;
  size_t count_;
  Buffer buffer_;
};

}  // namespace unmask::tools
