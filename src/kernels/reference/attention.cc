#include "kernels/reference/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unmask {

namespace {

using Row = std::vector<double>;

/// q.k of one query row with every slot of its key/value head.
Row products(const AttentionTask& task, const HeadShape& shape, int row, int head) {
  const int dim = shape.head_dim;
  const int kv_column = head / (shape.n_heads / shape.n_kv_heads) * dim;
  const float* q = task.q.f32(row) + head * dim;
  Row out(static_cast<size_t>(task.kv.k.rows));
  for (size_t s = 0; s < out.size(); ++s) {
    const float* k = task.kv.k.f32(static_cast<int>(s)) + kv_column;
    for (int d = 0; d < dim; ++d) out[s] += static_cast<double>(q[d]) * k[d];
  }
  return out;
}

/// log(sum of exp(score * scale)).
double log_sum_exp(const Row& scores, double scale) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double s : scores) sum += std::exp((s - largest) * scale);
  return largest * scale + std::log(sum);
}

/// Probabilities over the slots from `first` on; those before get none.
Row softmax(Row scores, double scale, size_t first) {
  std::fill_n(scores.begin(), first, -std::numeric_limits<double>::infinity());
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp((s - largest) * scale);
  for (double& s : scores) s /= sum;
  return scores;
}

/// Removes what the pattern hides from the query row.
void hide(const AttentionTask& task, int row, int head, Row& scores) {
  const int query_block = task.positions[static_cast<size_t>(row)] / task.pattern->block_size();
  const auto list = task.pattern->list(head, query_block);
  for (size_t s = 0; s < scores.size(); ++s) {
    const auto key = static_cast<uint16_t>(s / static_cast<size_t>(task.pattern->key_size()));
    if (!std::binary_search(list.begin(), list.end(), key)) {
      scores[s] = -std::numeric_limits<double>::infinity();
    }
  }
}

/// Removes the slots from the query's end on.
void cut(const AttentionTask& task, int row, Row& scores) {
  const auto end = scores.begin() + task.key_ends[static_cast<size_t>(row)];
  std::fill(end, scores.end(), -std::numeric_limits<double>::infinity());
}

void attend(const AttentionTask& task, const HeadShape& shape, int row, int head) {
  const int dim = shape.head_dim;
  const int kv_column = head / (shape.n_heads / shape.n_kv_heads) * dim;
  Row scores = products(task, shape, row, head);
  if (task.pattern != nullptr) hide(task, row, head, scores);
  if (!task.key_ends.empty()) cut(task, row, scores);
  const double scale = 1 / std::sqrt(static_cast<double>(dim));
  if (task.lse != nullptr) {
    task.lse[int64_t{row} * shape.n_heads + head] = static_cast<float>(log_sum_exp(scores, scale));
  }
  const Row weights = softmax(std::move(scores), scale, 0);
  for (int d = 0; d < dim; ++d) {
    double value = 0;
    for (size_t s = 0; s < weights.size(); ++s) {
      if (weights[s] != 0) value += weights[s] * task.kv.v.f32(static_cast<int>(s))[kv_column + d];
    }
    task.out.f32(row)[head * dim + d] = static_cast<float>(value);
  }
}

/// Importance of one query block of one head, both softmaxes materialised.
void measure(const AttentionTask& task, const HeadShape& shape, int query_block, int head) {
  BlockImportance& importance = *task.importance;
  const int size = importance.block_size;
  const auto blocks = static_cast<size_t>(importance.n_blocks);
  const auto first = static_cast<size_t>(importance.first_generation_block);
  Row all(blocks);
  Row generation(blocks);
  for (int r = query_block * size; r < std::min(task.q.rows, (query_block + 1) * size); ++r) {
    const Row scores = products(task, shape, r, head);
    const Row over_all = softmax(scores, importance.scale, 0);
    const Row over_own = softmax(scores, importance.scale, first * static_cast<size_t>(size));
    for (size_t s = 0; s < scores.size(); ++s) {
      all[s / static_cast<size_t>(size)] += over_all[s] / size / size;
      generation[s / static_cast<size_t>(size)] += over_own[s] / size / size;
    }
  }
  const auto row = static_cast<size_t>(head) * blocks + static_cast<size_t>(query_block);
  for (size_t b = 0; b < blocks; ++b) {
    importance.all[row * blocks + b] = static_cast<float>(all[b]);
    if (b < first) continue;
    importance.generation[row * (blocks - first) + b - first] = static_cast<float>(generation[b]);
  }
}

}  // namespace

void reference_attention(const AttentionTask& task, const HeadShape& shape) {
  for (int head = 0; head < shape.n_heads; ++head) {
    for (int r = 0; r < task.q.rows; ++r) attend(task, shape, r, head);
  }
  if (task.importance == nullptr) return;
  task.importance->reset(shape.n_heads, task.kv.k.rows);
  for (int head = 0; head < shape.n_heads; ++head) {
    for (int b = 0; b < task.importance->n_blocks; ++b) measure(task, shape, b, head);
  }
}

}  // namespace unmask
