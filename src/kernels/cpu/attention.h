// Attention on the CPU: packs keys and values, cuts the queries into tiles and lists for each tile
// the key panels it sees.
#pragma once

#include <span>
#include <vector>

#include "core/parallel.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"

namespace unmask::cpu {

class Attention {
 public:
  /// Both must outlive this.
  Attention(ThreadPool& pool, const AttentionKernels& kernels) : pool_(pool), kernels_(kernels) {}

  /// Backend::attention. Two runs of the pool serve all tasks: one packs their keys and values, one
  /// attends. A row has the same bits whatever the threads and the other tasks. No two tasks may
  /// write where another one reads.
  void run(std::span<const AttentionTask> tasks, const HeadShape& shape);

 private:
  struct Job;
  /// Scratch of one thread.
  struct Room {
    float* own;
    float* measuring;
    std::byte* gathered;  // of column_gather.h
    std::vector<SeenPanel>& list;
  };

  /// Bytes of the packed keys of a task; as many of its values.
  int64_t packed_bytes(const AttentionTask& task, const HeadShape& shape) const;
  /// How many of the first tasks run together, at least one.
  size_t count_together(std::span<const AttentionTask> tasks, const HeadShape& shape) const;
  void run_together(std::span<const AttentionTask> tasks, const HeadShape& shape);
  /// Finds room for packed keys and values, and what of them is to be packed.
  void place(std::span<Job> jobs, const HeadShape& shape);
  void pack(std::span<Job> jobs, const HeadShape& shape);
  /// Cuts queries into tiles of the kernel's choice, smaller where that would leave threads without
  /// work. Results do not depend on it.
  void cut(std::span<Job> jobs, const HeadShape& shape) const;
  void attend(std::span<Job> jobs, const HeadShape& shape);
  /// Tile number `place` of a job: tile after tile of one head, head after head.
  void attend_tile(const Job& job, int place, const HeadShape& shape, const Room& room) const;

  ThreadPool& pool_;
  const AttentionKernels& kernels_;
  Buffer passing_keys_;  // of tasks whose cache keeps no packed form
  Buffer passing_values_;
  Buffer gathered_;
  Buffer scratch_;
};

}  // namespace unmask::cpu
