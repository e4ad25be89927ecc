// What a model directory says about its architecture. A family is values, not code.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/rope_scaling.h"
#include "io/visibility.h"

namespace unmask {

enum class Family { llada, dream };

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
  int ffn_dim = 0;
  int max_positions = 0;  // context length the model was trained for, as the config states it
  float rope_theta = 0;
  RopeScaling rope{};
  float norm_eps = 0;
  bool qkv_bias = false;
  bool tied_head = false;   // the output head is the embedding
  Visibility visibility{};  // which keys a position sees
  int logit_shift = 0;      // 1: output row p-1 predicts position p (Dream); 0: row p does (LLaDA)
  TokenId mask_id = -1;
  TokenId eos_id = -1;
  TokenId pad_id = -1;  // -1: the model has none
  std::optional<TokenId> bos_id;
  /// Tokens that end an answer: eos_id first, then further eos_token_id and eot_token_id entries of
  /// either file, each once.
  std::vector<TokenId> stop_ids;
  GenerationDefaults generation;
  std::string note{};  // what the model's maker wants its users to know ("unmask_note")
};

/// Token ids that somebody names because the files of a model do not, or are wrong.
struct GivenTokens {
  std::optional<TokenId> mask_id{}, eos_id{};
};

/// Throws Error "WHERE: ..." for an id that is none of `vocab_size` tokens.
void check_given(const GivenTokens& given, int vocab_size, const std::string& where);

/// Reads DIR/config.json and, if present, DIR/generation_config.json; the former wins where both
/// give a token id, and the tokenizer's mask_token and eos_token stand in where neither does.
/// Of a GGUF file it reads the metadata (see gguf_config.h). Throws Error that names the file and
/// the key when a key is missing or wrong (codes mask_id, eos_id), or asks for something not
/// implemented, as quantized weights (code quantized).
ModelConfig load_model_config(const std::filesystem::path& directory,
                              const GivenTokens& given = {});
/// The same from the texts of the two files.
ModelConfig parse_model_config(const std::string& config, const std::string& generation);

}  // namespace unmask
