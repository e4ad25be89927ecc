// What a model directory says about its architecture. A family is values, not code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/rope_scaling.h"
#include "io/visibility.h"

namespace unmask {

enum class Family : uint8_t {
  llada,         // LLaDA, LLaDA-1.5, iLLaDA
  dream,         // Dream, Dream-Coder, DiffuCoder, DreamOn
  llada_moe,     // LLaDA-MoE
  llada2,        // LLaDA2.0, LLaDA2.1
  sdar,          // SDAR, TraDo, dense or of experts
  fast_dllm_v2,  // Fast-dLLM v2
  a2d,           // autoregressive models made into diffusion models: Qwen3, Qwen2.5
  open_dcoder,   // Open-dCoder: Dream's ways on Qwen2.5-Coder
  rnd1           // RND1: Qwen3 of experts
};

std::string_view family_name(Family family);

/// What generation_config.json recommends; nothing is set where the file is silent.
struct GenerationDefaults {
  std::optional<int> steps;
  std::optional<int> max_new_tokens;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int> top_k;
  std::optional<std::string> alg;  // Dream's name for how positions are ranked, e.g. "entropy"
  std::optional<float> alg_temp;
  std::optional<float> eps;  // time at which Dream's schedule ends
};

/// How the layers are built whose feed-forward is a choice of experts (kernels/experts.h).
struct MoeConfig {
  int experts = 0;             // 0: every layer is dense
  int top_k = 0;               // experts that a row takes
  int width = 0;               // of one expert
  int shared_width = 0;        // of the expert that every row takes; 0: none
  bool sigmoid = false;        // scores are sigmoids; otherwise a softmax over all experts
  bool normalized = false;     // weights: the scores over their sum, instead of as they are
  float scale = 1;             // of the weights
  int groups = 1;              // of experts side by side
  int groups_kept = 1;         // that a row chooses from
  bool bias = false;           // a number an expert, added to the scores where they are compared
  std::vector<bool> layers{};  // [n_layers] which have experts

  bool at(int layer) const { return experts > 0 && layers[static_cast<size_t>(layer)]; }
};

/// What a user says about a model whose files leave it open, or who knows better.
struct ModelOverrides {
  std::optional<std::string> family{};  // see parse_family()
  std::optional<TokenId> mask_id{}, eos_id{};
  std::optional<int> block{};          // of block-causal attention; 0: every position sees all
  std::optional<bool> shift_logits{};  // whether output row p-1 predicts position p
};

/// Everything the transformer and the samplers need to know, read from config.json and
/// generation_config.json; nothing is assumed.
struct ModelConfig {
  Family family = Family::llada;
  int vocab_size = 0;  // rows of the embedding and of the output head
  int dim = 0;         // width of the residual stream
  int n_layers = 0;
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  int ffn_dim = 0;  // of a dense feed-forward
  MoeConfig moe{};
  int max_positions = 0;  // context length the model was trained for, as the config states it
  float rope_theta = 0;
  RopeScaling rope{};
  int rotary_dim = 0;  // leading elements of a head that are rotated; 0: all
  float norm_eps = 0;
  bool qkv_bias = false;
  bool qk_norm = false;     // queries and keys are normalised head by head, before their rotation
  bool tied_head = false;   // the output head is the embedding
  Visibility visibility{};  // which keys a position sees
  int logit_shift = 0;      // 1: output row p-1 predicts position p (Dream); 0: row p does (LLaDA)
  TokenId mask_id = -1;
  std::string_view mask_source{};  // who named the mask token, for reports
  TokenId eos_id = -1;
  TokenId pad_id = -1;  // -1: the model has none
  std::optional<TokenId> bos_id;
  /// Tokens that end an answer: eos_id first, then further eos_token_id and eot_token_id entries of
  /// either file, each once.
  std::vector<TokenId> stop_ids;
  GenerationDefaults generation;
  std::string note{};  // what the model's maker wants its users to know ("unmask_note")
};

/// Throws Error when a token that `overrides` name is none of the vocabulary of `model`; puts the
/// others into it: shift_logits and block.
void apply_overrides(const ModelOverrides& overrides, ModelConfig& model);

/// The family of a name as --family takes it, e.g. "llada2". Throws Error listing them.
Family parse_family(std::string_view name);
std::vector<std::string> family_options();

/// Reads DIR/config.json and, if present, DIR/generation_config.json; the former wins where both
/// give a token id. Where neither does, the tokenizer's mask_token and eos_token stand in, then the
/// family's mask token. Of a GGUF file it reads the metadata (see gguf_config.h). `overrides` win
/// over all of it.
/// Throws Error that names the file and the key when a key is missing or wrong (codes mask_id,
/// eos_id), or asks for something not implemented, as quantized weights (code quantized).
ModelConfig load_model_config(const std::filesystem::path& directory,
                              const ModelOverrides& overrides = {});
/// The same from the texts of the two files.
ModelConfig parse_model_config(const std::string& config, const std::string& generation);

}  // namespace unmask
