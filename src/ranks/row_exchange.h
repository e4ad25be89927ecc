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

/// Which rows of a tensor ranks read, of each of its heads.
class WantedRows {
 public:
  WantedRows(int ranks, int n_heads, int head_dim)
      : n_heads_(static_cast<size_t>(n_heads)),
        head_dim_(head_dim),
        lists_(static_cast<size_t>(ranks) * n_heads_) {}

  int head_dim() const { return head_dim_; }
  /// Ascending and apart.
  std::vector<Range>& of(int rank, int head) { return lists_[index(rank, head)]; }
  const std::vector<Range>& of(int rank, int head) const { return lists_[index(rank, head)]; }

 private:
  size_t index(int rank, int head) const {
    return static_cast<size_t>(rank) * n_heads_ + static_cast<size_t>(head);
  }

  size_t n_heads_;
  int head_dim_;
  std::vector<std::vector<Range>> lists_;
};

/// Rows that have not come, and who reads which of them.
struct LackedRows {
  MissingRows missing;
  const WantedRows* wanted = nullptr;  // in rows of the tensor; null: everybody all
};

/// What ranks get of each other's rows, in elements, summed over the ranks.
int64_t elements_to_travel(const LackedRows& lacked);

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

  /// `lacked`: of one width. Where all is wanted by all it is gathered, else every two ranks
  /// exchange what they want of each other. By the threads of `pool`; null: memory that is planned
  /// only stays as it is. `wire`: where rows lie meanwhile, as large as was needed so far. All
  /// outlive this.
  RowExchange(Communicator& ranks, const std::vector<LackedRows>& lacked, Form form,
              ThreadPool* pool, std::vector<std::byte>& wire);
  /// Waits for what is still on its way, since the other ranks count on this one.
  ~RowExchange();
  RowExchange(const RowExchange&) = delete;
  RowExchange& operator=(const RowExchange&) = delete;

  /// Waits until columns[i] have come and puts them where they belong; in order. Throws Error when
  /// a rank has given up.
  void wait(int i);

 private:
  /// Rows, and where they are on their way.
  struct Part {
    Tensor rows;
    int64_t place;  // in bytes
    int64_t first;  // element of all parts
  };
  using Parts = std::vector<Part>;
  /// What travels together.
  struct Batch {
    Parts own{};                    // that this rank gives
    Parts others{};                 // that it gets
    std::vector<int64_t> counts{};  // bytes that come, by rank
    std::vector<int64_t> to{};      // bytes that go; none: everybody gives all that it has
    int64_t given = 0;              // where they lie in `wire`
    int64_t place = 0;              // and the others
  };

  Batch gathered(const std::vector<LackedRows>& lacked, Range columns, int64_t& place) const;
  Batch exchanged(const std::vector<LackedRows>& lacked, Range columns, int64_t& place) const;
  /// Rows of one rank that another wants, heads side by side in these columns.
  void add_wanted(const LackedRows& lacked, int of, int wanting, Range columns, int64_t& place,
                  Parts& parts) const;
  void add(const Tensor& rows, int64_t& place, Parts& parts) const;
  void fetch(const Batch& batch);
  void fetch_all();
  /// Calls copy(values, n, place) for every row of the parts.
  template <typename Copy>
  void each_row(const Parts& parts, const Copy& copy);

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
