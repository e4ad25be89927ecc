// Attention tasks of the interface as work for the kernels of attention.h: activations rounded to
// bfloat16, heads padded to a size that the kernels have, patterns and caches kept in the layout
// that they read.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/index_lists.h"

namespace unmask::cuda {

class AttentionTasks {
 public:
  /// Both must outlive it.
  AttentionTasks(Device& device, IndexLists& lists) : device_(device), index_lists_(lists) {}

  /// Throws Error when the kernels have no such head size.
  void run(const AttentionTask& task, const HeadShape& shape);

 private:
  struct Keys {
    const Bf16* k;
    const Bf16* v;
  };

  /// Rounds rows to bfloat16, all or those of `list`, heads padded.
  void narrow(Tensor from, std::span<const int> list, int n_heads, Bf16* out) const;
  Keys pack(const KvView& kv, int n_kv_heads);
  void set_pattern(const AttentionTask& task, DeviceAttention& work);
  void measure(const AttentionTask& task, const DeviceAttention& done);
  /// Fills `importance.chosen` from tables on the device.
  void choose(BlockImportance& importance, const DeviceImportance& tables);
  void download_lse(const AttentionTask& task, int n_heads, const float* lse);

  Device& device_;
  IndexLists& index_lists_;
  int head_dim_ = 0;  // of the running task
  int padded_ = 0;    // the same in bfloat16
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
