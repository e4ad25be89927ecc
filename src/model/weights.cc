#include "model/weights.h"

#include "model/families.h"

namespace unmask {

namespace {

HostMatrix host_matrix(const StoredTensor& tensor) {
  return {tensor.bytes.data(), tensor.element_type(), static_cast<int>(tensor.shape[0]),
          static_cast<int>(tensor.shape[1])};
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

Tensor upload_vector(Weights& w, const StoredTensor& tensor, Backend& backend) {
  const auto n = static_cast<size_t>(tensor.elements());
  std::vector<float> values(n);
  to_f32(tensor.bytes.data(), tensor.element_type(), n, values.data());
  w.vectors.push_back(backend.allocate(n * sizeof(float)));
  const Tensor out = w.vectors.back().view(1, static_cast<int>(n));
  backend.upload(values.data(), out);
  return out;
}

}  // namespace

Weights load_weights(const Checkpoint& checkpoint, const ModelConfig& config, Backend& backend,
                     const LoadProgress& progress) {
  check_checkpoint(checkpoint, config);
  Weights w;
  w.layers.resize(static_cast<size_t>(config.n_layers));
  const std::vector<TensorSpec> specs = tensor_specs(config);
  int64_t total = 0;
  for (const TensorSpec& spec : specs) {
    total += static_cast<int64_t>(checkpoint.at(spec.name).bytes.size());
  }
  int64_t done = 0;
  for (const TensorSpec& spec : specs) {
    const StoredTensor& tensor = checkpoint.at(spec.name);
    if (auto* slot = matrix_slot(w, spec.role, spec.layer)) {
      *slot = backend.pack(host_matrix(tensor));
      w.packed_bytes += (*slot)->bytes();
      checkpoint.release(spec.name);
    } else if (spec.role == TensorRole::embedding) {
      w.embedding = host_matrix(tensor);
    } else {
      vector_slot(w, spec.role, spec.layer) = upload_vector(w, tensor, backend);
    }
    done += static_cast<int64_t>(tensor.bytes.size());
    if (progress) progress(done, total);
  }
  if (config.tied_head) {
    w.head = backend.pack(w.embedding);
    w.packed_bytes += w.head->bytes();
  }
  return w;
}

Weights shape_weights(const ModelConfig& config, Backend& backend) {
  Weights w;
  w.layers.resize(static_cast<size_t>(config.n_layers));
  for (const TensorSpec& spec : tensor_specs(config)) {
    const auto rows = static_cast<int>(spec.shape.front());
    const auto columns = static_cast<int>(spec.shape.back());
    const HostMatrix matrix{nullptr, DType::f32, rows, columns};
    if (auto* slot = matrix_slot(w, spec.role, spec.layer)) {
      *slot = backend.pack(matrix);
    } else if (spec.role == TensorRole::embedding) {
      w.embedding = matrix;
    } else {
      w.vectors.push_back(backend.allocate(static_cast<size_t>(rows) * sizeof(float)));
      vector_slot(w, spec.role, spec.layer) = w.vectors.back().view(1, rows);
    }
  }
  if (config.tied_head) w.head = backend.pack(w.embedding);
  return w;
}

}  // namespace unmask
