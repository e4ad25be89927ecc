// One CUDA device: memory, copies and the one queue of work. Plain C++: device.cc implements it
// with the CUDA runtime, tests implement it on the host.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/tensor.h"
#include "kernels/cuda/types.h"

namespace unmask::cuda {

/// Rows of bytes on the device, `stride` bytes apart.
struct DeviceRows {
  void* data = nullptr;
  size_t stride = 0;
  size_t bytes = 0;  // of a row
  size_t rows = 0;
};

/// Work that was recorded, to be queued any number of times.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void queue() = 0;
};

/// Throws Error where the first device that this process may use is missing or too old.
void require_device();

class Device {
 public:
  /// The first device that this process may use. Throws Error as require_device() does.
  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& name() const { return name_; }
  const DeviceTraits& traits() const { return traits_; }
  Stream stream() const { return stream_; }

  /// Zeroed memory. Throws Error saying how much is free when it does not fit.
  Buffer allocate(size_t bytes);
  /// Dense host rows to the device, in the order of the queue; `host` is free again on return.
  void upload(const void* host, const DeviceRows& to);
  /// Device rows to dense host rows, once everything queued before is done.
  void download(const DeviceRows& from, void* host);
  /// Records what `work` would queue. It must neither allocate nor copy between host and device:
  /// throws LogicError then. What it works on must outlive the recording.
  std::unique_ptr<Recording> record(const std::function<void()>& work);
  /// True while work is recorded.
  bool records() const { return records_; }

 private:
  bool records_ = false;
  std::string name_;
  DeviceTraits traits_;
  Stream stream_ = nullptr;
};

/// `count` elements that lie close together.
template <typename T>
DeviceRows dense(T* data, size_t count) {
  return {const_cast<std::remove_const_t<T>*>(data), count * sizeof(T), count * sizeof(T), 1};
}

/// A copy of host values on the device.
template <typename T>
Buffer copied(Device& device, const std::vector<T>& values) {
  Buffer buffer = device.allocate(values.size() * sizeof(T));
  device.upload(values.data(), dense(static_cast<T*>(buffer.data()), values.size()));
  return buffer;
}

/// Device memory that grows with what is asked of it; what it held is lost then.
class Scratch {
 public:
  explicit Scratch(Device& device) : device_(device) {}

  template <typename T>
  T* fit(size_t count) {
    const size_t bytes = count * sizeof(T);
    if (memory_.bytes() < bytes) {
      memory_ = {};  // free first: both at once would double the peak
      memory_ = device_.allocate(bytes);
    }
    return static_cast<T*>(memory_.data());
  }

 private:
  Device& device_;
  Buffer memory_;
};

}  // namespace unmask::cuda
