// What the metadata of a GGUF file says about a diffusion language model, checked against itself
// and against the tensors of the file.
#pragma once

#include <optional>
#include <string_view>

#include "core/dtype.h"
#include "io/containers/gguf.h"

namespace unmask {

enum class GgufArchitecture { llada, dream, llada_moe, rnd1 };

/// As general.architecture spells it.
std::string_view architecture_name(GgufArchitecture architecture);

struct GgufModel {
  GgufArchitecture architecture = GgufArchitecture::llada;
  int vocab_size = 0;
  int dim = 0;
  int n_layers = 0;
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  int ffn_dim = 0;
  int max_positions = 0;
  float rope_theta = 0;
  float norm_eps = 0;
  int rope_dim = 0;  // leading elements of a head that are rotated
  bool tied_head = false;
  int logit_shift = 0;            // as in ModelConfig; 1 where the file does not say
  bool interleaved_rope = false;  // rows of q and k are stored in pairs to be rotated (llada)
  int n_experts = 0;              // 0: a dense feed-forward network
  int n_experts_used = 0;
  int expert_dim = 0;
  TokenId mask_id = -1;
  std::optional<TokenId> bos_id, eos_id, pad_id;
};

/// Throws Error naming file and key or tensor when a required key is missing, has another type or
/// an impossible value, or a tensor of the model is missing or has another shape.
GgufModel read_gguf_model(const GgufFile& file);

}  // namespace unmask
