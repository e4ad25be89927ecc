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
  attn_out,
  ffn_norm,
  gate,
  up,
  down,
};

std::string_view role_name(TensorRole role);

/// One tensor a checkpoint must hold.
struct TensorSpec {
  TensorRole role;
  int layer;  // -1: belongs to no layer
  std::string name;
  std::vector<int64_t> shape;  // matrices are [out, in]
};

/// Every tensor the model needs, layer by layer, embedding first, final norm and head last. There
/// is no head where it is tied to the embedding.
std::vector<TensorSpec> tensor_specs(const ModelConfig& config);

/// The name of one tensor; `layer` is ignored for roles outside the layers. Throws LogicError for a
/// role the model does not have.
std::string tensor_name(const ModelConfig& config, TensorRole role, int layer = -1);

/// Opens the checkpoint of a model, a directory or a GGUF file. Where its tensors have other names
/// than the family's because a training tool wrapped or prefixed them, they get the family's, and
/// so do those of GGUF files. Throws Error as Checkpoint, GgufCheckpoint and adopt_names.
std::unique_ptr<TensorDirectory> open_checkpoint(const std::filesystem::path& directory,
                                                 const ModelConfig& config);

/// Throws Error naming tensor, found and expected when one is missing, has another shape, or is not
/// stored as F32, F16, BF16 or in blocks; code quantized where another tool has quantized them.
/// Further tensors are ignored.
void check_checkpoint(const TensorDirectory& checkpoint, const ModelConfig& config);

}  // namespace unmask
