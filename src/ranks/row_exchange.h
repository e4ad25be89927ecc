// Rows of which every rank has computed some, on their way to all: some columns at a time, so that
// those which have come are computed with while the others travel.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/parallel.h"
#include "core/tensor.h"
#include "ranks/communicator.h"
#include "ranks/rows.h"

namespace unmask {

/// One exchange. All ranks begin it with rows of the same shapes and shares, and do nothing else
/// with each other before it ends.
class RowExchange {
 public:
  /// How rows travel: float32, or bfloat16 for who rounds them to it anyway.
  struct Form {
    DType type = DType::f32;
    /// Which columns come after which others, each once and none empty; with several a thread
    /// fetches them.
    std::vector<Range> columns;
  };

  /// `missing`: of one width. By the threads of `pool`; null: memory that is planned only stays as
  /// it is. `wire`: where rows lie meanwhile, as large as was needed so far. All outlive this.
  RowExchange(Communicator& ranks, const std::vector<MissingRows>& missing, Form form,
              ThreadPool* pool, std::vector<std::byte>& wire);
  /// Waits for what is still on its way, since the other ranks count on this one.
  ~RowExchange();
  RowExchange(const RowExchange&) = delete;
  RowExchange& operator=(const RowExchange&) = delete;

  /// Waits until columns[i] have come and puts them where they belong; in order. Throws Error when
  /// a rank has given up.
  void wait(int i);

 private:
  /// Rows of one rank, and where they are on their way.
  struct Part {
    Tensor rows;
    int64_t place;  // in bytes
  };
  struct Batch {
    std::vector<int64_t> counts;  // bytes by rank
    std::vector<Part> own;
    std::vector<Part> others;
    int64_t place = 0;
  };

  Batch lay_out(const std::vector<MissingRows>& missing, Range columns, int64_t place) const;
  void fetch(const Batch& batch) {
    ranks_.gather(nullptr, batch.counts, wire_.data() + batch.place);
  }
  void fetch_all();
  /// Calls copy(values, n, place) for every row of the parts.
  template <typename Copy>
  void each_row(const std::vector<Part>& parts, const Copy& copy);

  Communicator& ranks_;
  Form form_;
  ThreadPool* pool_;
  std::vector<std::byte>& wire_;
  std::vector<Batch> batches_;

  std::mutex lock_;
  std::condition_variable changed_;
  int come_ = 0;               // batches
  std::exception_ptr failed_;  // why no more come
  std::thread thread_;         // that fetches them; none for a single one
};

}  // namespace unmask
