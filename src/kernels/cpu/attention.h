// Attention on the CPU: packs keys and values, cuts the queries into tiles and lists for each tile
// the key panels it sees.
#pragma once

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Memory that lives until the next call for the same purpose; grows, never shrinks.
inline float* reserve(Buffer& buffer, int64_t floats) {
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  if (buffer.bytes() < bytes) buffer = allocate_host(bytes);
  return static_cast<float*>(buffer.data());
}

class Attention {
 public:
  /// Both must outlive this.
  Attention(ThreadPool& pool, const KernelTable& table) : pool_(pool), table_(table) {}

  void run(const AttentionTask& task, const HeadShape& shape);

 private:
  /// All key and value heads of a task, packed.
  struct Packed {
    float* keys;
    float* values;
    int64_t slots;  // whole panels
    int padded_dim;
  };

  Packed pack(const AttentionTask& task, const HeadShape& shape);
  void run_tiles(const AttentionTask& task, const HeadShape& shape, const Packed& packed);

  ThreadPool& pool_;
  const KernelTable& table_;
  Buffer keys_;
  Buffer values_;
  Buffer scratch_;
};

}  // namespace unmask::cpu
