#include "model/weights.h"

#include <algorithm>

#include "model/finite.h"

namespace unmask {

namespace {

/// Where a matrix of this role goes; null for the embedding and for vectors.
std::unique_ptr<PackedMatrix>* matrix_slot(Weights& w, TensorRole role, int layer) {
  if (role == TensorRole::head) return &w.head;
  if (layer < 0) return nullptr;
  LayerWeights& l = w.layers[static_cast<size_t>(layer)];
  switch (role) {
    case TensorRole::q: return &l.q;
    case TensorRole::k: return &l.k;
    case TensorRole::v: return &l.v;
    case TensorRole::attn_out: return &l.attn_out;
    case TensorRole::gate: return &std::get<GatedWeights>(l.ffn).gate;
    case TensorRole::up: return &std::get<GatedWeights>(l.ffn).up;
    case TensorRole::down: return &std::get<GatedWeights>(l.ffn).down;
    default: return nullptr;
  }
}

/// Where a norm or bias of this role goes.
Tensor& vector_slot(Weights& w, TensorRole role, int layer) {
  if (role == TensorRole::final_norm) return w.final_norm;
  UNMASK_CHECK(layer >= 0, "a vector outside the layers");
  LayerWeights& l = w.layers[static_cast<size_t>(layer)];
  switch (role) {
    case TensorRole::attn_norm: return l.attn_norm;
    case TensorRole::ffn_norm: return l.ffn_norm;
    case TensorRole::q_bias: return l.q_bias;
    case TensorRole::k_bias: return l.k_bias;
    default: break;
  }
  UNMASK_CHECK(role == TensorRole::v_bias, "a vector of unknown role");
  return l.v_bias;
}

/// Values of a norm or bias in float32; undefined ones where the source has none.
Tensor make_vector(Weights& w, const HostMatrix& from, Backend& backend) {
  const auto n = static_cast<size_t>(from.out);
  w.vectors.push_back(backend.allocate(n * sizeof(float)));
  const Tensor out = w.vectors.back().view(1, from.out);
  if (from.data == nullptr) return out;
  std::vector<float> values(n);
  to_f32(static_cast<const std::byte*>(from.data), from.dtype, n, values.data());
  backend.upload(values.data(), out);
  return out;
}

/// The next specs whose matrices read the same input: query, key and value, gate and up.
std::span<const TensorSpec> next_group(std::span<const TensorSpec> specs) {
  using enum TensorRole;
  for (const std::vector<TensorRole>& roles : {std::vector{q, k, v}, std::vector{gate, up}}) {
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
  } else if (matrix_slot(w, specs[0].role, specs[0].layer) == nullptr) {
    vector_slot(w, specs[0].role, specs[0].layer) = make_vector(w, tensors[0], backend);
  } else {
    auto packed = backend.pack_together(tensors);
    for (size_t i = 0; i < specs.size(); ++i) {
      w.packed_bytes += packed[i]->bytes();
      *matrix_slot(w, specs[i].role, specs[i].layer) = std::move(packed[i]);
    }
  }
}

/// Hands out the tensors of a checkpoint, checked and adapted, and drops what was packed.
class Loader {
 public:
  Loader(const TensorDirectory& checkpoint, const ModelConfig& config, const WeightLoading& loading)
      : checkpoint_(checkpoint),
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
      check_finite(spec, tensors.back(), pool_);
    }
    return tensors;
  }

  /// What was handed out last is packed by now.
  void finish() {
    for (const TensorSpec& spec : last_) {
      done_ += bytes_of(spec);
      checkpoint_.release(spec.name);
    }
    if (loading_.progress && !last_.empty()) loading_.progress(done_, total_);
    last_.clear();
    merged_.clear();
  }

  std::vector<float> take_embedding() { return std::move(embedding_); }

 private:
  int64_t bytes_of(const TensorSpec& spec) const {
    return static_cast<int64_t>(checkpoint_.at(spec.name).bytes.size());
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

  const TensorDirectory& checkpoint_;
  const WeightLoading& loading_;
  Adaptation adaptation_;
  ThreadPool pool_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  std::vector<TensorSpec> last_;            // handed out
  std::vector<std::vector<float>> merged_;  // of these
  std::vector<float> embedding_;
};

}  // namespace

Weights build_weights(const ModelConfig& config, Backend& backend, const TensorSource& source) {
  Weights w;
  w.layers.resize(static_cast<size_t>(config.n_layers));
  const std::vector<TensorSpec> specs = tensor_specs(config);
  for (std::span<const TensorSpec> left = specs; !left.empty();) {
    const std::span<const TensorSpec> group = next_group(left);
    add_tensors(w, backend, group, source(group));
    left = left.subspan(group.size());
  }
  if (config.tied_head) {
    w.head = backend.pack(w.embedding);
    w.packed_bytes += w.head->bytes();
  }
  return w;
}

Weights load_weights(const TensorDirectory& checkpoint, const ModelConfig& config, Backend& backend,
                     const WeightLoading& loading) {
  check_checkpoint(checkpoint, config);
  Loader loader(checkpoint, config, loading);
  Weights w = build_weights(config, backend, [&](auto specs) { return loader.next(specs); });
  loader.finish();
  w.own_embedding = loader.take_embedding();
  return w;
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
