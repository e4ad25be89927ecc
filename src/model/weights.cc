#include "model/weights.h"

#include <optional>

namespace unmask {

namespace {

HostMatrix host_matrix(const StoredTensor& tensor) {
  return {tensor.bytes.data(), tensor.element_type(), static_cast<int>(tensor.shape.front()),
          static_cast<int>(tensor.shape.back())};
}

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
    case TensorRole::gate: return &l.gate;
    case TensorRole::up: return &l.up;
    case TensorRole::down: return &l.down;
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

}  // namespace

Weights build_weights(const ModelConfig& config, Backend& backend, const TensorSource& source) {
  Weights w;
  w.layers.resize(static_cast<size_t>(config.n_layers));
  for (const TensorSpec& spec : tensor_specs(config)) {
    const HostMatrix tensor = source(spec);
    if (auto* slot = matrix_slot(w, spec.role, spec.layer)) {
      *slot = backend.pack(tensor);
      w.packed_bytes += (*slot)->bytes();
    } else if (spec.role == TensorRole::embedding) {
      w.embedding = tensor;
    } else {
      vector_slot(w, spec.role, spec.layer) = make_vector(w, tensor, backend);
    }
  }
  if (config.tied_head) {
    w.head = backend.pack(w.embedding);
    w.packed_bytes += w.head->bytes();
  }
  return w;
}

Weights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, Backend& backend,
                     const LoadProgress& progress) {
  check_checkpoint(checkpoint, config);
  int64_t total = 0;
  for (const TensorSpec& spec : tensor_specs(config)) {
    total += static_cast<int64_t>(checkpoint.at(spec.name).bytes.size());
  }
  int64_t done = 0;
  std::optional<TensorSpec> last;  // packed by now
  const auto finish_last = [&] {
    if (!last) return;
    done += static_cast<int64_t>(checkpoint.at(last->name).bytes.size());
    if (last->role != TensorRole::embedding) checkpoint.release(last->name);
    if (progress) progress(done, total);
  };
  Weights w = build_weights(config, backend, [&](const TensorSpec& spec) {
    finish_last();
    last = spec;
    return host_matrix(checkpoint.at(spec.name));
  });
  finish_last();
  return w;
}

Weights shape_weights(const ModelConfig& config, Backend& backend) {
  return build_weights(config, backend, [](const TensorSpec& spec) {
    return HostMatrix{nullptr, DType::f32, static_cast<int>(spec.shape.front()),
                      static_cast<int>(spec.shape.back())};
  });
}

}  // namespace unmask
