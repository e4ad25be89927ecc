#include "kernels/split_attention.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

namespace unmask {

namespace {

/// The lists of some heads.
BlockPattern heads_of(const BlockPattern& all, Range heads) {
  BlockPattern own = all.without_lists(heads.size());
  for (int head = heads.begin; head < heads.end; ++head) {
    for (int block = 0; block < all.n_blocks(); ++block) own.append(all.list(head, block));
  }
  return own;
}

/// The tasks of some heads, and what of their results all ranks are to have.
class OwnHeads {
 public:
  OwnHeads(const HeadShape& shape, Range kv_heads, int ranks)
      : shape_(shape),
        group_(shape.n_heads / shape.n_kv_heads),
        ranks_(ranks),
        kv_heads_(kv_heads),
        heads_{kv_heads_.begin * group_, kv_heads_.end * group_} {}

  HeadShape shape() const { return {heads_.size(), kv_heads_.size(), shape_.head_dim}; }

  void add(const AttentionTask& task) {
    AttentionTask own = task;
    own.q = task.q.columns(columns(heads_));
    own.out = task.out.columns(columns(heads_));
    own.kv.k = task.kv.k.columns(columns(kv_heads_));
    own.kv.v = task.kv.v.columns(columns(kv_heads_));
    results_.outs.push_back({task.out, cut(task.out.cols, shape_.head_dim)});
    if (task.pattern != nullptr) {
      own.pattern = &patterns_.emplace_back(heads_of(*task.pattern, heads_));
    }
    if (task.importance != nullptr) own.importance = &measure(*task.importance, task.kv.k.rows);
    if (task.lse != nullptr) {
      const Tensor all{task.lse, DType::f32, task.q.rows, shape_.n_heads, shape_.n_heads};
      results_.measured.push_back({all, cut(shape_.n_heads, 1)});
      auto& sums = sums_.emplace_back(static_cast<size_t>(task.q.rows * heads_.size()));
      own.lse = sums.data();
      own_sums_.push_back({all.columns(heads_), own.lse});
    }
    tasks_.push_back(own);
  }

  std::span<const AttentionTask> tasks() const { return tasks_; }
  /// After the tasks are done.
  HeadResults finish() {
    for (const Measured& m : measured_) {
      copy_table(m.own.all, m.all->all);
      copy_table(m.own.generation, m.all->generation);
    }
    for (const auto& [to, from] : own_sums_) {
      for (int r = 0; r < to.rows; ++r)
        std::copy_n(from + int64_t{r} * to.cols, to.cols, to.f32(r));
    }
    return std::move(results_);
  }

 private:
  struct Measured {
    BlockImportance own;
    BlockImportance* all;
  };

  Range columns(Range heads) const {
    return {heads.begin * shape_.head_dim, heads.end * shape_.head_dim};
  }
  /// Of `n` columns, `width` for each query head.
  Cut cut(int n, int width) const { return {n, width * group_, ranks_}; }

  BlockImportance& measure(BlockImportance& all, int slots) {
    all.reset(shape_.n_heads, slots);
    for (std::vector<float>* table : {&all.all, &all.generation}) {
      const auto n = static_cast<int>(table->size());
      if (n == 0) continue;
      results_.measured.push_back(
          {{table->data(), DType::f32, 1, n, n}, cut(n, n / shape_.n_heads)});
    }
    Measured& m = measured_.emplace_back();
    m.own.block_size = all.block_size;
    m.own.scale = all.scale;
    m.own.first_generation_block = all.first_generation_block;
    m.own.reset(heads_.size(), slots);
    m.all = &all;
    return m.own;
  }
  void copy_table(const std::vector<float>& own, std::vector<float>& all) const {
    const auto first =
        all.size() / static_cast<size_t>(shape_.n_heads) * static_cast<size_t>(heads_.begin);
    std::copy(own.begin(), own.end(), all.begin() + static_cast<std::ptrdiff_t>(first));
  }

  HeadShape shape_;
  int group_;  // query heads of a key head
  int ranks_;
  Range kv_heads_;
  Range heads_;
  std::vector<AttentionTask> tasks_;
  HeadResults results_;
  std::deque<BlockPattern> patterns_;
  std::deque<Measured> measured_;
  std::deque<std::vector<float>> sums_;
  std::vector<std::pair<Tensor, const float*>> own_sums_;
};

}  // namespace

void attend_heads(std::span<const AttentionTask> tasks, const HeadShape& shape, Range kv_heads,
                  const Attend& attend) {
  OwnHeads some(shape, kv_heads, 1);
  for (const AttentionTask& task : tasks) some.add(task);
  attend(some.tasks(), some.shape());
}

HeadResults attend_own_heads(std::span<const AttentionTask> tasks, const HeadShape& shape,
                             const Attend& attend, const Communicator& ranks) {
  OwnHeads own(shape, Cut(shape.n_kv_heads, 1, ranks.size()).of(ranks.rank()), ranks.size());
  for (const AttentionTask& task : tasks) {
    if (task.q.rows > 0) own.add(task);
  }
  if (own.shape().n_heads > 0) attend(own.tasks(), own.shape());
  return own.finish();
}

}  // namespace unmask
