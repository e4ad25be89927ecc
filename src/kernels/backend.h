// The one interface to compute. Above it nobody knows which device or instruction set does the
// work; below it nobody knows what a step or a method is.
//
// Activations are [rows, cols]; the heads of one row lie side by side in its columns. The residual
// stream, logits, biases and weights of norms are float32; intermediate activations have the
// backend's activation_type(). Sums are float32 whatever the types.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/rows.h"
#include "core/tensor.h"
#include "kernels/block_pattern.h"
#include "kernels/experts.h"
#include "kernels/host_matrix.h"
#include "kernels/into.h"
#include "kernels/rotation.h"
#include "kernels/step_series.h"
#include "kernels/token_query.h"
#include "kernels/weight_type.h"

namespace unmask {

/// Weights of one linear map y = x W^T, in the layout of the backend that packed them.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  int out() const { return out_; }
  int in() const { return in_; }
  virtual size_t bytes() const = 0;

 protected:
  PackedMatrix(int out, int in) : out_(out), in_(in) {}

 private:
  int out_;
  int in_;
};

/// One of the linear maps that share an input x: y = x W^T + bias.
struct LinearMap {
  const PackedMatrix* weights;
  Tensor out;     // [rows, weights->out()]
  Tensor bias{};  // [1, weights->out()] or null
  Into into = Into::store;
};

struct HeadShape {
  int n_heads = 0;     // query heads
  int n_kv_heads = 0;  // query head j uses key/value head j / (n_heads / n_kv_heads)
  int head_dim = 0;
};

/// A copy of keys and values in the layout that a backend's attention reads, so that slots which
/// stay between calls are packed once. Attention fills it; whoever changes slots calls forget().
struct PackedKv {
  Buffer keys;
  Buffer values;
  std::vector<bool> fresh;  // by slot: packed since it was changed

  void forget() { fresh.clear(); }
  void forget(const Rows& slots) {
    if (fresh.empty()) return;
    for (const int s : slots) fresh[static_cast<size_t>(s)] = false;
  }
};

/// Keys and values that queries look at. [slots, n_kv_heads * head_dim]; keys after RoPE.
struct KvView {
  Tensor k;
  Tensor v;
  PackedKv* packed = nullptr;  // of these slots; null: packed for the call
};

/// softmax(q k^T / sqrt(head_dim)) v of one sequence. A query sees every slot, but for those that
/// key_ends or a pattern hide. With a pattern, slots are positions and a query sees the key blocks
/// of its own block.
struct AttentionTask {
  Tensor q;  // [rows, n_heads * head_dim], after RoPE
  KvView kv;
  Tensor out;                             // [rows, n_heads * head_dim]
  const BlockPattern* pattern = nullptr;  // null: dense
  std::span<const int> positions{};       // of the query rows, ascending; only a pattern needs them
  /// A query row sees the slots before its end, at least one; empty: all. Without a pattern only.
  std::span<const int> key_ends{};  // [rows]
  /// Filled when not null. Dense only, and every position must be both query and slot, in order.
  BlockImportance* importance = nullptr;
  /// Filled when not null: log of the sum of exp(score) over what a row and head sees, in nats.
  /// [rows, n_heads]
  float* lse = nullptr;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// For reports, e.g. "cpu avx512, 2 threads, bfloat16 weights".
  virtual std::string describe() const = 0;

  /// The type of inputs and outputs of products and attention, and of keys and values that methods
  /// keep.
  virtual DType activation_type() const { return DType::f32; }
  /// Rows that go through the feed-forward together: they bound its buffers, and every weight that
  /// is read serves as many.
  virtual int tile_rows() const { return 1024; }

  // Memory. Tensors below live in memory that this backend allocated.
  virtual Buffer allocate(size_t bytes) = 0;
  /// Copies host [out.rows, out.cols], dense float32 whatever the tensor's type.
  virtual void upload(const float* host, Tensor out) = 0;
  /// Copies to host [from.rows, from.cols], dense float32 whatever the tensor's type.
  virtual void download(Tensor from, float* host) = 0;
  /// Whether pack() takes this matrix, which lies in panels, as it is and where it is: the memory
  /// then outlives the result.
  virtual bool takes_panels(const HostMatrix& /*weights*/) const { return false; }
  /// Copies weights [out, in] into the layout of linear(); the host memory may go afterwards.
  /// Throws Error for a format that the backend does not have.
  virtual std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) = 0;
  /// The same for matrices that read one input, which a backend may lay side by side.
  virtual std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) {
    std::vector<std::unique_ptr<PackedMatrix>> packed;
    for (const HostMatrix& matrix : weights) packed.push_back(pack(matrix));
    return packed;
  }

  // Where ranks share the work, a tensor may lie in parts on them until somebody reads it whole.
  /// Gives every rank what the others have of a tensor; all ranks call it.
  virtual void complete(Tensor /*t*/) {}
  /// True when this rank has all of it.
  virtual bool whole(Tensor /*t*/) const { return true; }

  // The transformer.
  /// out[i] = table[tokens[i]]; out [tokens, cols], table [vocab, cols], read in place. Throws
  /// Error for ids outside it.
  virtual void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) = 0;
  /// Applies every map to x [rows, in], as if one after the other; no out overlaps x. The maps'
  /// matrices may differ in format.
  virtual void linear(Tensor x, std::span<const LinearMap> maps) = 0;
  void linear(Tensor x, const LinearMap& map) { linear(x, std::span(&map, 1)); }
  /// The feed-forward of `experts` on x [rows, dim] goes `into` out [rows, dim] (store or add),
  /// which lies apart from x. Throws Error where a backend has none.
  virtual void experts(Tensor /*x*/, const Experts& /*experts*/, Tensor /*out*/, Into /*into*/) {
    fail("[experts] {}: found a feed-forward of experts, expected a dense one", describe());
  }
  /// out = x / sqrt(mean(x^2) + eps) * weight, row by row; x and out [rows, cols], which may be the
  /// same memory, weight [1, cols].
  virtual void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) = 0;
  /// Turns the pairs of each head as `rotation` says, in place; x [rows, heads * head_dim],
  /// positions [rows].
  virtual void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) = 0;
  /// Attends to every task, one a sequence, as if one after the other; the shapes are theirs.
  virtual void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) = 0;
  /// x += y; both [rows, cols].
  virtual void add(Tensor x, Tensor y) = 0;
  /// x = y + scale * (x - y); both [rows, cols].
  virtual void extrapolate(Tensor x, Tensor y, float scale) = 0;
  /// out[i] = from[rows[i]], converted to the type of out; from [n, cols], out [rows.size(), cols].
  virtual void gather(Tensor from, const Rows& rows, Tensor out) = 0;
  /// out[rows[i]] = from[i], converted to the type of out; from [rows.size(), cols], out [n, cols].
  virtual void scatter(Tensor from, const Rows& rows, Tensor out) = 0;
  /// Reduces logits [rows, vocab] to out [rows]; positions [rows] key the randomness.
  virtual void token_stats(Tensor logits, std::span<const int> positions, const TokenQuery& query,
                           std::span<TokenStats> out) = 0;
  /// Takes the steps of a plan without the host, where a backend can: null where it does not. While
  /// the series exists the backend serves nobody else.
  virtual std::unique_ptr<StepSeries> series(const SeriesPlan& /*plan*/) { return nullptr; }

  // What methods measure; results on the host, where they decide.
  /// out[j] = mean over the heads of (mean of the rows of q) . k[j], no scaling;
  /// q [rows, n_heads * head_dim], k [keys, n_kv_heads * head_dim], out [keys].
  virtual void mean_query_scores(Tensor q, Tensor k, const HeadShape& shape,
                                 std::span<float> out) = 0;
  /// out[h][j] = attention that key j gets: softmax(q k^T / sqrt(head_dim)), summed over `rows` of
  /// q and over the query heads of key head h; q and k as above, out [n_kv_heads, keys].
  virtual void attention_mass(Tensor q, const Rows& rows, Tensor k, const HeadShape& shape,
                              std::span<float> out) = 0;
  /// out[i] = a[i] . b[i] / (|a[i]| |b[i]|), 0 where a row is zero; a and b [rows, cols], out
  /// [rows].
  virtual void cosine_rows(Tensor a, Tensor b, std::span<float> out) = 0;
  /// How far rows have moved: out[i] = mean |a[i] - b[rows[i]]| / (root of mean b[rows[i]]^2 +
  /// 1e-6); a [rows.size(), cols], b [n, cols], out [rows.size()].
  virtual void row_changes(Tensor a, Tensor b, const Rows& rows, std::span<float> out) = 0;
};

}  // namespace unmask
