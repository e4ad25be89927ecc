// Attention tasks of the interface as work for the kernels of attention.h. Rows in bfloat16 are
// read and written where they lie when the kernels have their head size; others are copied, rounded
// and padded. Patterns, and copies of caches, are kept.
#pragma once

#include <utility>

#include "kernels/create_backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/index_lists.h"
#include "kernels/cuda/library_attention.h"

namespace unmask::cuda {

class AttentionTasks {
 public:
  /// Device and lists must outlive it. `full`: who computes full attention of many rows.
  AttentionTasks(Device& device, IndexLists& lists, CudaAttention full)
      : device_(device), index_lists_(lists), full_(full) {}

  /// Throws Error when the kernels have no such head size.
  void run(const AttentionTask& task, const HeadShape& shape);

 private:
  /// Rows of bfloat16 with heads of `padded_`.
  struct Operand {
    Bf16* data;
    int64_t stride;
  };

  /// True when the kernels can read and write the rows where they lie.
  bool fits(Tensor rows) const;
  /// The rows, or room for a copy of them.
  Operand place(Tensor rows, int n_heads, Scratch& room) const;
  /// The rows, or a copy of them.
  Operand readable(Tensor rows, int n_heads, Scratch& room) const;
  /// Copies rows, all or those of `list`, padding their heads.
  void pack(Tensor from, std::span<const int> list, int n_heads, Operand out) const;
  /// The copies that a cache keeps, brought up to date.
  std::pair<Operand, Operand> packed(const KvView& kv, int n_kv_heads);
  /// Queues attention by our kernels, or by a library where one is wanted and has what it takes.
  void launch_task(const DeviceAttention& work);
  void set_pattern(const AttentionTask& task, DeviceAttention& work);
  void set_ends(std::span<const int> ends, DeviceAttention& work);
  void measure(const AttentionTask& task, const DeviceAttention& done);
  /// Fills `importance.chosen` from tables on the device.
  void choose(BlockImportance& importance, const DeviceImportance& tables);
  void download_lse(const AttentionTask& task, int n_heads, const float* lse);

  Device& device_;
  IndexLists& index_lists_;
  CudaAttention full_;
  std::unique_ptr<LibraryAttention> library_ = create_library_attention(device_);
  int head_dim_ = 0;  // of the running task
  int padded_ = 0;    // a size that the kernels have
  Scratch q_{device_};
  Scratch k_{device_};
  Scratch v_{device_};
  Scratch out_{device_};
  Scratch lse_{device_};
  Scratch workspace_{device_};
  Scratch all_{device_};
  Scratch generation_{device_};
};

}  // namespace unmask::cuda
