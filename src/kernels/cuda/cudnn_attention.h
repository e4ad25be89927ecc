// Attention by cuDNN's graph API: what our kernels are measured against.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/cuda/cudnn_library.h"
#include "kernels/cuda/device.h"

namespace unmask::cuda {

/// Lists of key blocks as cuDNN's paged attention sees them: each list is a sequence of one block
/// of queries whose cache consists of pages of one block.
struct CudnnPages {
  int block_size = 0;
  int n_blocks = 0;                  // of a head
  int count = 0;                     // of blocks in a list
  std::span<const uint16_t> blocks;  // [n_heads * n_blocks, count]
};

/// A plan for tasks of one shape: softmax(scale q k^T) v over all keys, without a log-sum-exp.
class CudnnAttention {
 public:
  /// Throws Error where the library is missing or no engine takes the graph.
  CudnnAttention(Device& device, const DeviceAttention& task);
  /// Over listed blocks. All operands are block by block then, head after head: q and out
  /// [n_heads * n_blocks, block_size, head_dim], k and v [n_kv_heads * n_blocks, ..]; strides are
  /// not looked at, and every block is full.
  CudnnAttention(Device& device, const DeviceAttention& task, const CudnnPages& pages);
  CudnnAttention(const CudnnAttention&) = delete;
  CudnnAttention& operator=(const CudnnAttention&) = delete;

  /// Queues a task of the plan's shape and strides.
  void queue(const DeviceAttention& task);

 private:
  struct Release {
    void operator()(void* descriptor) const { cudnn().destroy_descriptor(descriptor); }
  };
  struct Close {
    void operator()(cudnnContext* handle) const { cudnn().destroy(handle); }
  };
  using Descriptor = std::unique_ptr<void, Release>;
  enum class Kind { in_memory, on_the_way, by_value };

  /// What a product of queries and keys looks like.
  struct Shape {
    int64_t sequences, heads, rows, keys;
  };
  struct Operands {
    cudnnBackendDescriptor_t q, k, v, out;
  };

  void start();
  void finish_plan();
  cudnnBackendDescriptor_t create(cudnnBackendDescriptorType_t type);
  cudnnBackendDescriptor_t tensor(int64_t id, cudnnDataType_t type,
                                  const std::vector<int64_t>& sizes,
                                  const std::vector<int64_t>& strides, Kind kind);
  cudnnBackendDescriptor_t scores(int64_t id, cudnnDataType_t type);
  cudnnBackendDescriptor_t per_row(int64_t id);
  cudnnBackendDescriptor_t per_sequence(int64_t id, int64_t count);
  /// `keys_are`: the dimension of the product that has the length of a sequence's keys.
  void multiply(cudnnBackendDescriptor_t a, cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t c,
                cudnnBackendAttributeName_t keys_are);
  void pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                 cudnnBackendDescriptor_t y, cudnnBackendDescriptor_t choice = nullptr,
                 int64_t axis = -1);
  void reduce(cudnnReduceTensorOp_t how, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y);
  Operands dense_operands();
  Operands paged_operands(const CudnnPages& pages);
  cudnnBackendDescriptor_t load_pages(int64_t id, int64_t pages_id, int64_t loaded_id,
                                      const CudnnPages& pages, bool transposed);
  cudnnBackendDescriptor_t within_lengths(cudnnBackendDescriptor_t scaled);
  void build_graph(const Operands& operands);
  /// Configurations of engines for the graph: those that the library suggests, and all that take
  /// it.
  std::vector<cudnnBackendDescriptor_t> suggested(cudnnBackendDescriptor_t graph);
  std::vector<cudnnBackendDescriptor_t> all_engines(cudnnBackendDescriptor_t graph);
  void choose_plan(cudnnBackendDescriptor_t graph);
  /// Makes the first of the configurations that can be built the plan; false where none can.
  bool build_first(const std::vector<cudnnBackendDescriptor_t>& configs);
  void bind(const DeviceAttention& task);

  Device& device_;
  DeviceAttention task_;
  std::unique_ptr<cudnnContext, Close> handle_;
  std::vector<Descriptor> owned_;
  std::vector<cudnnBackendDescriptor_t> operations_;
  cudnnBackendDescriptor_t plan_ = nullptr;
  Descriptor arguments_;  // with the pointers of task_, where there is one
  Buffer workspace_;
  Shape shape_;
  // Of the paged form alone.
  cudnnBackendDescriptor_t row_count_ = nullptr;
  cudnnBackendDescriptor_t key_count_ = nullptr;
  Buffer row_counts_, key_counts_, page_table_;
};

}  // namespace unmask::cuda
