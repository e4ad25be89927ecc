#include "bench/kernel_cases.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bench/timing.h"

namespace unmask {

WeightCopies::WeightCopies(const Pack& pack, int in, int out) {
  constexpr int kLarge = 4096;  // from here on the layers of a real model, larger than any cache
  const size_t wanted = in >= kLarge ? size_t{200} << 20 : size_t{16} << 20;
  const Buffer matrix = random_matrix(out, in);
  for (size_t bytes = 0; bytes < wanted; bytes += copies_.back()->bytes()) {
    copies_.push_back(pack({matrix.data(), DType::f32, out, in}));
  }
}

Buffer random_matrix(int rows, int cols) {
  const auto elements = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  Buffer buffer = allocate_host(elements * sizeof(float));
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  std::generate_n(static_cast<float*>(buffer.data()), elements, [&] { return value(random); });
  return buffer;
}

AttentionProblem::AttentionProblem(Backend& backend, const AttentionCase& about)
    : backend_(backend), about_(about), heads_{about.n_heads, about.n_heads, about.head_dim} {
  const int width = about.n_heads * about.head_dim;
  task_ = {.q = fill(q_, about.queries, width),
           .kv = {fill(k_, about.slots, width), fill(v_, about.slots, width)},
           .out = fill(out_, about.queries, width)};
  for (int p = 0; p < about.queries; ++p) positions_.push_back(p);
  if (about.density > 0) draw_pattern();
  importance_.block_size = about.block;
  importance_.scale = about.scale / std::sqrt(static_cast<float>(about.head_dim));
  importance_.first_generation_block = about.block > 0 ? about.slots / about.block / 2 : 0;
}

double AttentionProblem::pass() {
  AttentionTask task = task_;
  if (about_.density > 0) {
    task.pattern = &pattern_;
    task.positions = positions_;
  } else if (about_.scale > 0) {
    task.importance = &importance_;
  } else if (about_.is_cached()) {
    // A step of a cache method: slots kept from the step before, those of the queries new.
    task.kv.packed = &packed_;
    packed_.forget(Rows(Range{about_.slots - about_.queries, about_.slots}));
  }
  return timed(task);
}

double AttentionProblem::operations() const {
  return 4.0 * about_.queries * about_.slots * heads_.n_heads * heads_.head_dim;
}

Tensor AttentionProblem::fill(Buffer& buffer, int rows, int cols) {
  buffer = backend_.allocate(sizeof(float) * static_cast<size_t>(rows) * static_cast<size_t>(cols));
  const Tensor t = buffer.view(rows, cols);
  std::normal_distribution<float> normal;
  for (int r = 0; r < rows; ++r) std::generate_n(t.f32(r), cols, [&] { return normal(random_); });
  return t;
}

/// Blocks or keys drawn for every head and block of queries.
void AttentionProblem::draw_pattern() {
  const int n = (about_.slots + about_.block - 1) / about_.block;
  pattern_ = about_.columns ? BlockPattern::of_columns(about_.block, about_.n_heads, n)
                            : BlockPattern(about_.block, about_.n_heads, n);
  std::vector<uint16_t> keys(static_cast<size_t>(about_.columns ? about_.slots : n));
  std::iota(keys.begin(), keys.end(), uint16_t{0});
  const double share = static_cast<double>(keys.size()) * about_.density;
  const auto kept = static_cast<size_t>(std::max(1L, std::lround(share)));
  for (int row = 0; row < about_.n_heads * n; ++row) {
    std::shuffle(keys.begin(), keys.end(), random_);
    std::sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(kept));
    pattern_.append(std::span(keys).first(kept));
  }
}

double AttentionProblem::timed(const AttentionTask& task) {
  const double begin = thread_seconds();
  backend_.attention(std::span(&task, 1), heads_);
  return thread_seconds() - begin;
}

}  // namespace unmask
