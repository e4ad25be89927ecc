#include "model/weights.h"

#include <algorithm>

#include "kernels/panels.h"
#include "kernels/split.h"
#include "model/finite.h"

namespace unmask {

namespace {

GatedWeights& dense_of(LayerWeights& l) { return std::get<GatedWeights>(l.ffn); }
ExpertWeights& experts_of(LayerWeights& l) { return std::get<ExpertWeights>(l.ffn); }
GatedWeights& expert_of(LayerWeights& l, const TensorSpec& spec) {
  return experts_of(l).experts[static_cast<size_t>(spec.expert)];
}

/// Where the matrix of a linear map goes.
std::unique_ptr<PackedMatrix>& matrix_slot(Weights& w, const TensorSpec& spec) {
  if (spec.role == TensorRole::head) return w.head;
  UNMASK_CHECK(spec.layer >= 0, "a linear map outside the layers");
  LayerWeights& l = w.layers[static_cast<size_t>(spec.layer)];
  switch (spec.role) {
    case TensorRole::q: return l.q;
    case TensorRole::k: return l.k;
    case TensorRole::v: return l.v;
    case TensorRole::attn_out: return l.attn_out;
    case TensorRole::gate: return dense_of(l).gate;
    case TensorRole::up: return dense_of(l).up;
    case TensorRole::down: return dense_of(l).down;
    case TensorRole::expert_gate: return expert_of(l, spec).gate;
    case TensorRole::expert_up: return expert_of(l, spec).up;
    case TensorRole::expert_down: return expert_of(l, spec).down;
    case TensorRole::shared_gate: return experts_of(l).shared->gate;
    case TensorRole::shared_up: return experts_of(l).shared->up;
    default: break;
  }
  UNMASK_CHECK(spec.role == TensorRole::shared_down, "a linear map of unknown role");
  return experts_of(l).shared->down;
}

/// Where a norm, a bias or a router goes.
Tensor& float_slot(Weights& w, const TensorSpec& spec) {
  if (spec.role == TensorRole::final_norm) return w.final_norm;
  UNMASK_CHECK(spec.layer >= 0, "a vector outside the layers");
  LayerWeights& l = w.layers[static_cast<size_t>(spec.layer)];
  switch (spec.role) {
    case TensorRole::attn_norm: return l.attn_norm;
    case TensorRole::ffn_norm: return l.ffn_norm;
    case TensorRole::q_bias: return l.q_bias;
    case TensorRole::k_bias: return l.k_bias;
    case TensorRole::q_norm: return l.q_norm;
    case TensorRole::k_norm: return l.k_norm;
    case TensorRole::router: return experts_of(l).router;
    case TensorRole::router_bias: return experts_of(l).router_bias;
    default: break;
  }
  UNMASK_CHECK(spec.role == TensorRole::v_bias, "a vector of unknown role");
  return l.v_bias;
}

/// A layer with room for its tensors.
LayerWeights empty_layer(const ModelConfig& config, int layer) {
  LayerWeights l;
  const MoeConfig& moe = config.moe;
  if (!moe.at(layer)) return l;
  ExpertWeights& experts = l.ffn.emplace<ExpertWeights>();
  experts.experts.resize(static_cast<size_t>(moe.experts));
  if (moe.shared_width > 0) experts.shared.emplace();
  experts.routing = {.top_k = moe.top_k,
                     .sigmoid = moe.sigmoid,
                     .normalized = moe.normalized,
                     .scale = moe.scale,
                     .groups = moe.groups,
                     .groups_kept = moe.groups_kept};
  return l;
}

/// Values of a norm, a bias or a router in float32; undefined ones where the source has none. A
/// vector of n values comes as [n, n].
Tensor make_floats(Weights& w, const TensorSpec& spec, const HostMatrix& from, Backend& backend) {
  const int rows = spec.shape.size() == 1 ? 1 : from.out;
  const auto n = static_cast<size_t>(rows) * static_cast<size_t>(from.in);
  w.vectors.push_back(backend.allocate(n * sizeof(float)));
  const Tensor out = w.vectors.back().view(rows, from.in);
  if (from.data == nullptr) return out;
  std::vector<float> values(n);
  to_f32(static_cast<const std::byte*>(from.data), from.dtype, n, values.data());
  backend.upload(values.data(), out);
  return out;
}

/// The next specs whose matrices read the same input: query, key and value, a gate and its up.
std::span<const TensorSpec> next_group(std::span<const TensorSpec> specs) {
  using enum TensorRole;
  for (const std::vector<TensorRole>& roles :
       {std::vector{q, k, v}, std::vector{gate, up}, std::vector{expert_gate, expert_up},
        std::vector{shared_gate, shared_up}}) {
    const auto has_role = [](TensorRole role, const TensorSpec& spec) { return role == spec.role; };
    if (specs.size() >= roles.size() &&
        std::equal(roles.begin(), roles.end(), specs.begin(), has_role)) {
      return specs.first(roles.size());
    }
  }
  return specs.first(1);
}

/// Packs matrices and copies vectors.
void add_tensors(Weights& w, Backend& backend, std::span<const TensorSpec> specs,
                 std::span<const HostMatrix> tensors) {
  if (specs[0].role == TensorRole::embedding) {
    w.embedding = tensors[0];
  } else if (!is_linear_map(specs[0])) {
    float_slot(w, specs[0]) = make_floats(w, specs[0], tensors[0], backend);
  } else {
    auto packed = backend.pack_together(tensors);
    for (size_t i = 0; i < specs.size(); ++i) {
      w.packed_bytes += packed[i]->bytes();
      matrix_slot(w, specs[i]) = std::move(packed[i]);
    }
  }
}

/// Whether the rows of a tensor are elements of heads of which only some are rotated.
bool is_rotated(const ModelConfig& config, TensorRole role) {
  using enum TensorRole;
  if (config.rotary_dim == 0 || config.rotary_dim == config.head_dim) return false;
  return role == q || role == k || role == q_bias || role == k_bias || role == q_norm ||
         role == k_norm;
}

/// Where the elements of a head lie in the file, in the order in which the engine keeps them. A
/// rotation turns the pairs (i, i + head_dim / 2), so that those which the model rotates, (i, i +
/// rotary_dim / 2), come first in both halves; scores do not depend on the order.
std::vector<int> rotation_order(const ModelConfig& config) {
  const int half = config.head_dim / 2;
  const int turned = config.rotary_dim / 2;
  std::vector<int> order;
  for (int first = 0; first < 2; ++first) {
    for (int i = 0; i < half; ++i) {
      const int still = config.rotary_dim + first * (half - turned) + i - turned;
      order.push_back(i < turned ? first * turned + i : still);
    }
  }
  return order;
}

/// Hands out the tensors of a checkpoint, checked and adapted, and drops what was packed.
class Loader {
 public:
  Loader(const TensorDirectory& checkpoint, const ModelConfig& config, const WeightLoading& loading)
      : checkpoint_(checkpoint),
        config_(config),
        loading_(loading),
        adaptation_(loading.adapters, config),
        pool_(loading.threads) {
    for (const TensorSpec& spec : tensor_specs(config)) total_ += bytes_of(spec);
  }

  std::vector<HostMatrix> next(std::span<const TensorSpec> specs) {
    finish();
    last_.assign(specs.begin(), specs.end());
    std::vector<HostMatrix> tensors;
    for (const TensorSpec& spec : specs) {
      tensors.push_back(adapted(spec));
      const bool packed = checkpoint_.packed_type().has_value();  // matrices were checked then
      if (!packed || spec.shape.size() == 1) check_finite(spec, own(spec, tensors.back()), pool_);
      if (packed) continue;
      if (is_rotated(config_, spec.role)) order_rotated(spec, tensors.back());
    }
    return tensors;
  }

  /// What was handed out last is packed by now.
  void finish() {
    for (const TensorSpec& spec : last_) {
      done_ += bytes_of(spec);
      if (!checkpoint_.packed_type()) checkpoint_.release(spec.name);
    }
    if (loading_.progress && !last_.empty()) loading_.progress(done_, total_);
    last_.clear();
    merged_.clear();
    ordered_.clear();
  }

  /// The same matrix in rows, for a backend that takes no such panels.
  HostMatrix in_rows(const HostMatrix& panels) {
    const auto in = static_cast<size_t>(panels.in);
    std::vector<float>& rows = merged_.emplace_back(in * static_cast<size_t>(panels.out));
    pool_.run(panels.out, [&](int r, int) {
      unpack_row(panels, r, rows.data() + in * static_cast<size_t>(r));
    });
    return {rows.data(), DType::f32, panels.out, panels.in};
  }

  std::vector<float> take_embedding() { return std::move(embedding_); }

 private:
  int64_t bytes_of(const TensorSpec& spec) const {
    return static_cast<int64_t>(checkpoint_.at(spec.name).bytes.size());
  }

  /// What this rank is to check: a matrix is checked by all ranks together.
  HostMatrix own(const TensorSpec& spec, const HostMatrix& tensor) const {
    const bool is_shared = loading_.ranks != nullptr && spec.shape.size() > 1;
    return is_shared ? own_part(tensor, *loading_.ranks) : tensor;
  }

  HostMatrix adapted(const TensorSpec& spec) {
    const StoredTensor& base = adaptation_.base_of(spec, checkpoint_.at(spec.name));
    const HostMatrix matrix = host_matrix(base);
    if (!adaptation_.changes(spec)) return matrix;
    std::vector<float>& values =
        spec.role == TensorRole::embedding ? embedding_ : merged_.emplace_back();
    values = adaptation_.merged(spec, base, pool_);
    return {values.data(), DType::f32, matrix.out, matrix.in};
  }

  /// Puts the rows of every head into the order of rotation_order(), in memory of its own.
  void order_rotated(const TensorSpec& spec, HostMatrix& matrix) {
    const std::vector<int> order = rotation_order(config_);
    const size_t width = spec.shape.size() == 1 ? 1 : static_cast<size_t>(matrix.in);
    const size_t row_bytes =
        matrix.blocks ? block_bytes(*matrix.blocks, width) : dtype_bytes(matrix.dtype) * width;
    std::vector<std::byte>& to =
        ordered_.emplace_back(row_bytes * static_cast<size_t>(spec.shape[0]));
    const auto* from = static_cast<const std::byte*>(matrix.data);
    for (size_t row = 0; row < static_cast<size_t>(spec.shape[0]); ++row) {
      const size_t in_head = row % order.size();
      const size_t source = row - in_head + static_cast<size_t>(order[in_head]);
      std::copy_n(from + source * row_bytes, row_bytes, to.data() + row * row_bytes);
    }
    matrix.data = to.data();
  }

  const TensorDirectory& checkpoint_;
  const ModelConfig& config_;
  const WeightLoading& loading_;
  Adaptation adaptation_;
  ThreadPool pool_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  std::vector<TensorSpec> last_;            // handed out
  std::vector<std::vector<float>> merged_;  // of these
  std::vector<std::vector<std::byte>> ordered_;
  std::vector<float> embedding_;
};

}  // namespace

Weights build_weights(const ModelConfig& config, Backend& backend, const TensorSource& source,
                      const std::function<std::optional<HostMatrix>()>& tied_head) {
  Weights w;
  for (int layer = 0; layer < config.n_layers; ++layer) {
    w.layers.push_back(empty_layer(config, layer));
  }
  const std::vector<TensorSpec> specs = tensor_specs(config);
  for (std::span<const TensorSpec> left = specs; !left.empty();) {
    const std::span<const TensorSpec> group = next_group(left);
    add_tensors(w, backend, group, source(group));
    left = left.subspan(group.size());
  }
  if (config.tied_head) {
    w.head = backend.pack((tied_head ? tied_head() : std::nullopt).value_or(w.embedding));
    w.packed_bytes += w.head->bytes();
  }
  return w;
}

Weights load_weights(const TensorDirectory& checkpoint, const ModelConfig& config, Backend& backend,
                     const WeightLoading& loading) {
  check_checkpoint(checkpoint, config);
  if (checkpoint.packed_type() && !loading.adapters.empty()) {
    fail("[lora] {}: a packed model takes no adapter; use the model it was made of",
         checkpoint.path().string());
  }
  Loader loader(checkpoint, config, loading);
  const auto readable = [&](const HostMatrix& matrix) {
    return matrix.in_panels && !backend.takes_panels(matrix) ? loader.in_rows(matrix) : matrix;
  };
  const auto source = [&](std::span<const TensorSpec> specs) {
    std::vector<HostMatrix> tensors = loader.next(specs);
    for (HostMatrix& tensor : tensors) tensor = readable(tensor);
    return tensors;
  };
  const auto tied_head = [&]() -> std::optional<HostMatrix> {
    if (!checkpoint.contains(kTiedHead)) return std::nullopt;
    const HostMatrix head = host_matrix(checkpoint.at(kTiedHead));
    if (head.out != config.vocab_size || head.in != config.dim) {
      fail("[checkpoint] {}: {} is {} x {}, expected {} x {}", checkpoint.path().string(),
           kTiedHead, head.out, head.in, config.vocab_size, config.dim);
    }
    return readable(head);
  };
  Weights w = build_weights(config, backend, source, tied_head);
  loader.finish();
  w.own_embedding = loader.take_embedding();
  return w;
}

void prepare_weights(const TensorDirectory& checkpoint, const ModelConfig& config,
                     const WeightLoading& loading, const TensorUse& use) {
  check_checkpoint(checkpoint, config);
  Loader loader(checkpoint, config, loading);
  std::optional<HostMatrix> embedding;
  for (const TensorSpec& spec : tensor_specs(config)) {
    const HostMatrix tensor = loader.next({&spec, 1})[0];
    if (spec.role == TensorRole::embedding) embedding = tensor;
    use(spec.name, spec.shape, is_linear_map(spec), tensor);
  }
  if (config.tied_head) use(kTiedHead, {embedding->out, embedding->in}, true, *embedding);
  loader.finish();
}

Weights shape_weights(const ModelConfig& config, Backend& backend) {
  return build_weights(config, backend, [](std::span<const TensorSpec> specs) {
    std::vector<HostMatrix> tensors;
    for (const TensorSpec& spec : specs) {
      tensors.push_back({nullptr, DType::f32, static_cast<int>(spec.shape.front()),
                         static_cast<int>(spec.shape.back())});
    }
    return tensors;
  });
}

}  // namespace unmask
