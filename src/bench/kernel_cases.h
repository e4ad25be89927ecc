// Operands of the kernels that are measured one by one: random, and large enough to come from where
// those of a step come from.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "kernels/backend.h"

namespace unmask {

/// Weights of one shape, so many copies that each call reads them from memory, as in a step.
class WeightCopies {
 public:
  using Pack = std::function<std::unique_ptr<PackedMatrix>(const HostMatrix&)>;
  WeightCopies(const Pack& pack, int in, int out);
  const PackedMatrix& next() { return *copies_[next_++ % copies_.size()]; }

 private:
  std::vector<std::unique_ptr<PackedMatrix>> copies_;
  size_t next_ = 0;
};

/// `rows` x `cols` of uniform numbers from -1 to 1.
Buffer random_matrix(int rows, int cols);

struct AttentionCase {
  int head_dim;
  int n_heads;
  int queries;
  int slots;
  int block = 0;         // of a pattern or of measured importance; 0: plain
  double density = 0;    // of the pattern; 0: none
  float scale = 0;       // of importance, over attention's; 0: none
  bool columns = false;  // the pattern names single keys

  bool is_cached() const { return queries < slots; }
};

/// Random operands, and passes over them that return the processor time of the calling thread.
class AttentionProblem {
 public:
  /// `backend` must outlive the problem; it has one thread.
  AttentionProblem(Backend& backend, const AttentionCase& about);

  /// What the case is about: a sparse, measuring, cached or plain pass.
  double pass();
  double plain() { return timed(task_); }
  /// Operations of a plain pass; a multiply-add counts as two.
  double operations() const;
  /// Share of the keys that the pattern keeps; 1 without.
  double density() const { return about_.density > 0 ? pattern_.density() : 1; }

 private:
  Tensor fill(Buffer& buffer, int rows, int cols);
  void draw_pattern();
  double timed(const AttentionTask& task);

  Backend& backend_;
  AttentionCase about_;
  HeadShape heads_;
  std::mt19937 random_{1};
  Buffer q_, k_, v_, out_;
  AttentionTask task_;
  PackedKv packed_;
  BlockPattern pattern_;
  BlockImportance importance_;
  std::vector<int> positions_;
};

}  // namespace unmask
