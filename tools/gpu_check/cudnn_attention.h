// Dense attention by cuDNN's graph API: what the kernels are measured against.
#pragma once

#include <cudnn.h>
#include <memory>
#include <vector>

#include "gpu_check/device_memory.h"

namespace unmask::tools {

/// A plan for one task: softmax(scale q k^T) v over all keys, without a log-sum-exp.
class CudnnAttention {
 public:
  /// Throws Error where no engine takes the graph. `task` keeps its pointers.
  CudnnAttention(cuda::Device& device, const cuda::DeviceAttention& task);
  CudnnAttention(const CudnnAttention&) = delete;
  CudnnAttention& operator=(const CudnnAttention&) = delete;

  void queue();

 private:
  struct Release {
    void operator()(void* descriptor) const { cudnnBackendDestroyDescriptor(descriptor); }
  };
  struct Close {
    void operator()(cudnnContext* handle) const { cudnnDestroy(handle); }
  };
  using Descriptor = std::unique_ptr<void, Release>;
  enum class Kind { in_memory, on_the_way, by_value };

  cudnnBackendDescriptor_t create(cudnnBackendDescriptorType_t type);
  cudnnBackendDescriptor_t tensor(int64_t id, cudnnDataType_t type,
                                  const std::vector<int64_t>& sizes,
                                  const std::vector<int64_t>& strides, Kind kind);
  cudnnBackendDescriptor_t scores(int64_t id, cudnnDataType_t type);
  cudnnBackendDescriptor_t per_row(int64_t id);
  void multiply(cudnnBackendDescriptor_t a, cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t c);
  void pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                 cudnnBackendDescriptor_t y);
  void reduce(cudnnReduceTensorOp_t how, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y);
  void build_graph();
  void choose_plan(cudnnBackendDescriptor_t graph);
  void bind();

  cuda::Device& device_;
  cuda::DeviceAttention task_;
  std::unique_ptr<cudnnContext, Close> handle_;
  std::vector<Descriptor> owned_;
  std::vector<cudnnBackendDescriptor_t> operations_;
  cudnnBackendDescriptor_t plan_ = nullptr;
  cudnnBackendDescriptor_t arguments_ = nullptr;
  std::unique_ptr<DeviceArray<std::byte>> workspace_;
};

}  // namespace unmask::tools
