#include "kernels/cuda/device.h"

#include <cuda_runtime.h>

#include "kernels/cuda/check.h"

namespace unmask::cuda {

namespace {

void check_device() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return;
  fail("[cuda] no CUDA device: {}; use --device cpu",
       status == cudaSuccess ? "the driver reports none" : cudaGetErrorString(status));
}

/// Rows that can be copied as one; the copy of distant rows limits their distance to 2 GiB.
bool is_dense(const DeviceRows& rows) { return rows.rows == 1 || rows.stride == rows.bytes; }

}  // namespace

Device::Device() {
  check_device();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  name_ = properties.name;
  traits_.compute_capability = 10 * properties.major + properties.minor;
  traits_.multiprocessors = properties.multiProcessorCount;
  if (traits_.compute_capability < 80) {
    fail("[cuda] {}: compute capability {}.{}, expected at least 8.0; use --device cpu", name_,
         properties.major, properties.minor);
  }
  check(cudaSetDevice(0), "cudaSetDevice");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

Device::~Device() { cudaStreamDestroy(stream_); }

Buffer Device::allocate(size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes == 0 ? 1 : bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not sticky: the next check shall not see it
    size_t free = 0;
    size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    fail("[cuda] out of memory: could not allocate {} bytes, {} of {} are free; try fewer tokens",
         bytes, free, total);
  }
  check(status, "cudaMalloc");
  // Queued work may still use it; cudaFree alone only may wait.
  Buffer buffer(data, bytes, [](void* p) {
    cudaDeviceSynchronize();
    cudaFree(p);
  });
  check(cudaMemsetAsync(data, 0, bytes, stream_), "cudaMemsetAsync");
  return buffer;
}

void Device::upload(const void* host, const DeviceRows& to) {
  if (to.bytes == 0 || to.rows == 0) return;
  if (is_dense(to)) {
    check(cudaMemcpyAsync(to.data, host, to.bytes * to.rows, cudaMemcpyHostToDevice, stream_),
          "cudaMemcpyAsync to the device");
  } else {
    check(cudaMemcpy2DAsync(to.data, to.stride, host, to.bytes, to.bytes, to.rows,
                            cudaMemcpyHostToDevice, stream_),
          "cudaMemcpy2DAsync to the device");
  }
  // From pageable memory the call may return before it has read everything. Uploads begin a step,
  // when the queue is short, so waiting costs little.
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

void Device::download(const DeviceRows& from, void* host) {
  if (from.bytes == 0 || from.rows == 0) return;
  if (is_dense(from)) {
    check(cudaMemcpyAsync(host, from.data, from.bytes * from.rows, cudaMemcpyDeviceToHost, stream_),
          "cudaMemcpyAsync to the host");
  } else {
    check(cudaMemcpy2DAsync(host, from.bytes, from.data, from.stride, from.bytes, from.rows,
                            cudaMemcpyDeviceToHost, stream_),
          "cudaMemcpy2DAsync to the host");
  }
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

}  // namespace unmask::cuda
