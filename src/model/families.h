// The names and shapes of the tensors that a checkpoint of each model family holds, as data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/containers/tensor_directory.h"
#include "io/model_config.h"

namespace unmask {

enum class TensorRole {
  embedding,
  final_norm,
  head,
  attn_norm,
  q,
  k,
  v,
  q_bias,
  k_bias,
  v_bias,
  q_norm,  // of each head
  k_norm,
  attn_out,
  ffn_norm,
  gate,  // of a dense feed-forward, as the next two
  up,
  down,
  router,
  router_bias,
  expert_gate,  // of one of the experts, as the next two
  expert_up,
  expert_down,
  shared_gate,  // of the expert that every row takes, as the next two
  shared_up,
  shared_down,
};

std::string_view role_name(TensorRole role);

/// One tensor a checkpoint must hold.
struct TensorSpec {
  TensorRole role;
  int layer;  // -1: belongs to no layer
  std::string name;
  std::vector<int64_t> shape;  // matrices are [out, in]
  int expert = -1;             // which one it belongs to
};

/// Whether a backend multiplies by it: it is no vector, router or embedding.
bool is_linear_map(const TensorSpec& spec);

/// Every tensor the model needs, layer by layer, embedding first, final norm and head last. There
/// is no head where it is tied to the embedding.
std::vector<TensorSpec> tensor_specs(const ModelConfig& config);

/// The name of one tensor; `layer` and `expert` are ignored for roles outside of these. Throws
/// LogicError for a role the model does not have. What a checkpoint stores in one tensor and the
/// model takes apart (LLaDA2's query_key_value) has the name of the whole, ':' and a letter.
std::string tensor_name(const ModelConfig& config, TensorRole role, int layer = -1,
                        int expert = -1);

/// Opens the checkpoint of a model: a directory, a GGUF file or a packed one. Where its tensors
/// have other names than the family's because a training tool wrapped or prefixed them, they get
/// the family's, and so do those of GGUF files; what is stored in one tensor is taken apart, also
/// experts stacked along a first dimension. Throws Error as Checkpoint, GgufCheckpoint and
/// adopt_names.
std::unique_ptr<TensorDirectory> open_checkpoint(const std::filesystem::path& directory,
                                                 const ModelConfig& config);

/// Throws Error naming tensor, found and expected when one is missing, has another shape, or is not
/// stored as F32, F16, BF16 or in blocks; code quantized where another tool has quantized them.
/// Further tensors are ignored.
void check_checkpoint(const TensorDirectory& checkpoint, const ModelConfig& config);

}  // namespace unmask
