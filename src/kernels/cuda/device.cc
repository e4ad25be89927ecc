#include "kernels/cuda/device.h"

#include <cuda_runtime.h>

#include "kernels/cuda/check.h"

namespace unmask::cuda {

namespace {

/// The first device; throws Error where it is missing or too old.
cudaDeviceProp usable_device() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    fail(ErrorCode::device, "[cuda] no CUDA device: {}",
         status == cudaSuccess ? "the driver reports none" : cudaGetErrorString(status));
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  if (properties.major < 8) {
    fail(ErrorCode::device, "[cuda] {}: compute capability {}.{}, expected at least 8.0",
         properties.name, properties.major, properties.minor);
  }
  return properties;
}

/// Rows that can be copied as one; the copy of distant rows limits their distance to 2 GiB.
bool is_dense(const DeviceRows& rows) { return rows.rows == 1 || rows.stride == rows.bytes; }

/// A graph that the device can start.
class Graph final : public Recording {
 public:
  Graph(cudaGraph_t graph, Stream stream) : stream_(stream) {
    check(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
  }
  ~Graph() override {
    cudaStreamSynchronize(stream_);  // it may still run
    cudaGraphExecDestroy(graph_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void queue() override { check(cudaGraphLaunch(graph_, stream_), "cudaGraphLaunch"); }

 private:
  cudaGraphExec_t graph_ = nullptr;
  Stream stream_;
};

/// From its first to its last line the stream records instead of running.
class Capture {
 public:
  Capture(Stream stream, bool& records) : stream_(stream), records_(records) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
    records_ = true;
  }
  ~Capture() {
    if (records_) cudaStreamEndCapture(stream_, &graph_);
    records_ = false;
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
    cudaGetLastError();  // of a recording that failed: the next check shall not see it
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t finish() {
    records_ = false;
    check(cudaStreamEndCapture(stream_, &graph_), "cudaStreamEndCapture");
    return graph_;
  }

 private:
  Stream stream_;
  bool& records_;
  cudaGraph_t graph_ = nullptr;
};

}  // namespace

void require_device() { usable_device(); }

Device::Device() {
  const cudaDeviceProp properties = usable_device();
  name_ = properties.name;
  traits_.compute_capability = 10 * properties.major + properties.minor;
  traits_.multiprocessors = properties.multiProcessorCount;
  check(cudaSetDevice(0), "cudaSetDevice");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

Device::~Device() { cudaStreamDestroy(stream_); }

std::unique_ptr<Recording> Device::record(const std::function<void()>& work) {
  UNMASK_CHECK(!records_, "recorded work records nothing");
  Capture capture(stream_, records_);
  work();
  return std::make_unique<Graph>(capture.finish(), stream_);
}

Buffer Device::allocate(size_t bytes) {
  UNMASK_CHECK(!records_, "recorded work allocates nothing");
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes == 0 ? 1 : bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not sticky: the next check shall not see it
    size_t free = 0;
    size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    fail(ErrorCode::memory, "[cuda] out of memory: could not allocate {} bytes, {} of {} are free",
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
  UNMASK_CHECK(!records_, "recorded work copies nothing to the device");
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
  UNMASK_CHECK(!records_, "recorded work copies nothing to the host");
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
