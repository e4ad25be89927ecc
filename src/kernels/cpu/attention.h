// Attention on the CPU: packs keys and values, cuts the queries into tiles and lists for each tile
// the key panels it sees.
#pragma once

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

/// Memory that lives until the next call for the same purpose; grows, never shrinks.
inline std::byte* reserve_bytes(Buffer& buffer, int64_t bytes) {
  if (buffer.bytes() < static_cast<size_t>(bytes)) {
    buffer = allocate_host(static_cast<size_t>(bytes));
  }
  return static_cast<std::byte*>(buffer.data());
}
inline float* reserve(Buffer& buffer, int64_t floats) {
  return reinterpret_cast<float*>(reserve_bytes(buffer, floats * int64_t{sizeof(float)}));
}

class Attention {
 public:
  /// Both must outlive this.
  Attention(ThreadPool& pool, const AttentionKernels& kernels) : pool_(pool), kernels_(kernels) {}

  void run(const AttentionTask& task, const HeadShape& shape);

 private:
  /// All key and value heads of a task, packed.
  struct Packed {
    std::byte* keys;
    std::byte* values;
    int64_t head_bytes;  // from one head to the next
    int padded_dim;
  };

  Packed pack(const AttentionTask& task, const HeadShape& shape);
  /// The kernel's choice, less where that would leave threads without work. Results do not depend
  /// on it.
  int rows_per_tile(int rows, int n_heads) const;
  void run_tiles(const AttentionTask& task, const HeadShape& shape, const Packed& packed);

  ThreadPool& pool_;
  const AttentionKernels& kernels_;
  PackedKv passing_;  // keys and values of a call that keeps none
  Buffer scratch_;
};

}  // namespace unmask::cpu
