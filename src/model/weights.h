// The weights of a model, packed for one backend.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "io/containers/tensor_directory.h"
#include "io/model_config.h"
#include "kernels/backend.h"
#include "model/adaptation.h"
#include "model/families.h"
#include "ranks/communicator.h"

namespace unmask {

/// down(silu(gate x) * up x).
struct GatedWeights {
  std::unique_ptr<PackedMatrix> gate, up, down;
};

/// A router and the experts that it chooses from, as kernels/experts.h describes them.
struct ExpertWeights {
  Tensor router;       // [experts, dim], float32
  Tensor router_bias;  // [1, experts] or null
  std::vector<GatedWeights> experts;
  std::optional<GatedWeights> shared;
  Routing routing{};
};

struct LayerWeights {
  Tensor attn_norm;  // [1, dim]
  std::unique_ptr<PackedMatrix> q, k, v;
  Tensor q_bias, k_bias, v_bias;  // [1, out] or null
  Tensor q_norm, k_norm;          // [1, head_dim] or null
  std::unique_ptr<PackedMatrix> attn_out;
  Tensor ffn_norm;  // [1, dim]
  std::variant<GatedWeights, ExpertWeights> ffn;
};

struct Weights {
  HostMatrix embedding;              // [vocab, dim], read in place from the mapped checkpoint
  std::vector<float> own_embedding;  // its values where an adapter changes it
  std::vector<LayerWeights> layers;
  Tensor final_norm;  // [1, dim]
  std::unique_ptr<PackedMatrix> head;
  size_t packed_bytes = 0;
  std::vector<Buffer> vectors;  // memory of norms and biases
};

/// Returns the tensors that are packed together, valid until the next call; the embedding's memory
/// must outlive the weights. A vector of n values has the shape [n, n]. Without data the values are
/// undefined.
using TensorSource = std::function<std::vector<HostMatrix>(std::span<const TensorSpec> specs)>;

/// Packs every tensor of a model. `tied_head` gives the matrix that is packed as head where the
/// embedding serves as one; none: the embedding.
Weights build_weights(const ModelConfig& config, Backend& backend, const TensorSource& source,
                      const std::function<std::optional<HostMatrix>()>& tied_head = {});

/// Called after each tensor with the bytes packed so far and the bytes of all tensors.
using LoadProgress = std::function<void(int64_t done, int64_t total)>;

struct WeightLoading {
  std::span<const ScaledAdapter> adapters{};  // merged into the weights; outlive the result
  int threads = 1;                            // of the host, while loading
  LoadProgress progress{};
  const Communicator* ranks = nullptr;  // not null: of matrices this rank's share is read alone
};

/// The same from a checkpoint: packs every tensor and drops its pages from the mapping.
/// `checkpoint` must outlive the result. Throws Error naming the tensor when one is missing, has
/// another shape or type, or holds what is no finite number, and as Adaptation.
Weights load_weights(const TensorDirectory& checkpoint, const ModelConfig& config, Backend& backend,
                     const WeightLoading& loading = {});

/// Hands out every tensor of a checkpoint as load_weights() packs it: adapted, checked, in the
/// order in which the engine keeps it; where the embedding serves as head, at the end once more as
/// kTiedHead. Throws as load_weights().
using TensorUse = std::function<void(const std::string& name, const std::vector<int64_t>& shape,
                                     bool is_linear_map, const HostMatrix& tensor)>;
void prepare_weights(const TensorDirectory& checkpoint, const ModelConfig& config,
                     const WeightLoading& loading, const TensorUse& use);
inline constexpr const char* kTiedHead = "tied_head";

/// Weights without values, for a backend that reads none.
Weights shape_weights(const ModelConfig& config, Backend& backend);

}  // namespace unmask
