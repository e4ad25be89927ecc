#include "io/model_config.h"

#include <algorithm>
#include <array>
#include <functional>

#include "core/error.h"
#include "io/config_reader.h"
#include "io/model_family.h"
#include "io/quantization.h"
#include "io/text/tokenizer.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

// Bounds no real model comes near, small enough that products of two fit 64 bits with ease.
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxLayers = 1 << 12;
constexpr int kMaxPositions = 1 << 28;

struct FamilyNames {
  Family family;
  std::string_view name;          // as this program shows it
  std::string_view model_type;    // as config.json spells it
  std::string_view architecture;  // entry of `architectures`
};
constexpr std::array kFamilies{
    FamilyNames{Family::llada, "LLaDA", "llada", "LLaDAModelLM"},
    FamilyNames{Family::dream, "Dream", "Dream", "DreamModel"},
};

/// Both names must be known: LLaDA-MoE, for one, shares the model_type of LLaDA.
std::optional<Family> known_family(const ConfigReader& config) {
  const std::string type = config.optional_string("model_type").value_or("");
  const std::vector<std::string> architectures = config.strings("architectures");
  for (const FamilyNames& known : kFamilies) {
    const bool same_class = std::all_of(architectures.begin(), architectures.end(),
                                        [&](const auto& a) { return a == known.architecture; });
    const bool same_type = type.empty() ? !architectures.empty() : type == known.model_type;
    if (same_type && same_class) return known.family;
  }
  return std::nullopt;
}

Family find_family(const ConfigReader& config) {
  if (const auto family = known_family(config)) return *family;
  const std::string type = config.optional_string("model_type").value_or("");
  const std::vector<std::string> architectures = config.strings("architectures");
  std::vector<std::string> supported;
  supported.reserve(kFamilies.size());
  for (const FamilyNames& known : kFamilies) {
    supported.push_back(fmt::format("{} ({})", known.model_type, known.architecture));
  }
  fail("{}: model_type '{}' ({}) is not supported; supported are {}", config.where(),
       printable(type), printable(fmt::format("{}", fmt::join(architectures, ", "))),
       fmt::join(supported, " and "));
}

/// The class defaults of LLaDA's configuration describe another model than the published one, so
/// every key that matters must be in the file.
void read_llada(const ConfigReader& config, ModelConfig& model) {
  config.require("block_type", "llama");
  config.require("layer_norm_type", "rms");
  config.require("activation_type", "silu");
  config.require("rope", true);
  config.require("block_group_size", 1);
  config.require("layer_norm_with_affine", true);
  for (const char* key : {"alibi", "attention_layer_norm", "input_emb_norm", "scale_logits",
                          "include_bias", "include_qkv_bias", "bias_for_layer_norm"}) {
    config.require(key, false);
  }
  // rope_full_precision only says whether a run in 16 bits raises queries and keys to float32 for
  // the rotation. The engine always rotates in float32, so both values mean the same to it.
  config.flag("rope_full_precision");

  model.dim = config.size("d_model", kMaxWidth);
  model.n_layers = config.size("n_layers", kMaxLayers);
  model.n_heads = config.size("n_heads", kMaxWidth);
  const bool one_kv_head = config.optional_flag("multi_query_attention").value_or(false);
  model.n_kv_heads = one_kv_head ? 1 : model.n_heads;
  if (config.has("n_kv_heads")) model.n_kv_heads = config.size("n_kv_heads", kMaxWidth);
  if (one_kv_head && model.n_kv_heads != 1) {
    config.reject("multi_query_attention", "is true, but n_kv_heads is not 1");
  }
  model.ffn_dim = config.size("mlp_hidden_size", kMaxWidth);
  model.vocab_size = config.size("vocab_size", kMaxVocab);
  config.require_present("embedding_size");  // null: no rows beyond the vocabulary
  if (config.has("embedding_size")) {
    const int rows = config.size("embedding_size", kMaxVocab);
    if (rows < model.vocab_size) config.reject("embedding_size", "is less than vocab_size");
    model.vocab_size = rows;
  }
  model.max_positions = config.size("max_sequence_length", kMaxPositions);
  model.tied_head = config.flag("weight_tying");
  model.logit_shift = 0;
}

void read_dream(const ConfigReader& config, ModelConfig& model) {
  config.require("hidden_act", "silu");
  config.accept_only("use_sliding_window", false);
  config.accept_only("use_mrope", false);

  model.dim = config.size("hidden_size", kMaxWidth);
  model.n_layers = config.size("num_hidden_layers", kMaxLayers);
  model.n_heads = config.size("num_attention_heads", kMaxWidth);
  model.n_kv_heads = config.size("num_key_value_heads", kMaxWidth);
  model.ffn_dim = config.size("intermediate_size", kMaxWidth);
  model.vocab_size = config.size("vocab_size", kMaxVocab);
  model.max_positions = config.size("max_position_embeddings", kMaxPositions);
  model.tied_head = config.flag("tie_word_embeddings");
  model.qkv_bias = true;  // the architecture has them, whatever the configuration says
  model.logit_shift = 1;
}

void check_heads(const ConfigReader& config, ModelConfig& model) {
  if (model.dim % model.n_heads != 0) {
    fail("{}: width {} is not divisible by {} heads", config.where(), model.dim, model.n_heads);
  }
  if (model.n_heads % model.n_kv_heads != 0) {
    fail("{}: {} heads are not divisible by {} key/value heads", config.where(), model.n_heads,
         model.n_kv_heads);
  }
  model.head_dim = model.dim / model.n_heads;
  if (model.head_dim % 2 != 0) {
    fail("{}: head size {} is odd; rotary embeddings need pairs", config.where(), model.head_dim);
  }
}

/// The id of a token that the tokenizer names for a role, e.g. "mask_token".
using TokenOfRole = std::function<std::optional<TokenId>(std::string_view role)>;

/// A token id key of config.json, else of generation_config.json; each checked against the rows of
/// the embedding.
std::vector<TokenId> read_ids(const ConfigReader& config,
                              const std::optional<ConfigReader>& generation, std::string_view key,
                              int vocab_size) {
  for (const ConfigReader* reader : {&config, generation ? &*generation : nullptr}) {
    if (reader == nullptr || !reader->has(key)) continue;
    std::vector<TokenId> ids = reader->token_ids(key);
    for (const TokenId id : ids) {
      if (id < vocab_size) continue;
      reader->reject(key, fmt::format("is {}, outside the vocabulary of {}", id, vocab_size));
    }
    if (!ids.empty()) return ids;
  }
  return {};
}

/// The same of a key that must be there, unless the tokenizer knows the token.
std::vector<TokenId> required_ids(const ConfigReader& config,
                                  const std::optional<ConfigReader>& generation,
                                  const std::string& role, const TokenOfRole& tokenizer,
                                  int vocab_size) {
  const std::string key = role + "_id";
  std::vector<TokenId> ids = read_ids(config, generation, key, vocab_size);
  if (!ids.empty()) return ids;
  const std::optional<TokenId> id = tokenizer ? tokenizer(role) : std::nullopt;
  if (id && *id < vocab_size) return {*id};
  if (id) {
    config.reject(key, fmt::format("is missing, and the tokenizer's {} has the id {}, outside the "
                                   "vocabulary of {}",
                                   role, *id, vocab_size));
  }
  if (role != "mask_token") config.reject(key, "is missing");
  config.reject(key,
                "is missing and the tokenizer's files name no mask_token: the model has no mask "
                "token, so it is no masked diffusion model");
}

void read_token_ids(const ConfigReader& config, const std::optional<ConfigReader>& generation,
                    const TokenOfRole& tokenizer, ModelConfig& model) {
  const auto ids = [&](std::string_view key) {
    return read_ids(config, generation, key, model.vocab_size);
  };
  const auto required = [&](const char* role) {
    return required_ids(config, generation, role, tokenizer, model.vocab_size);
  };
  const std::vector<TokenId> mask = required("mask_token");
  const std::vector<TokenId> eos = required("eos_token");
  const std::vector<TokenId> pad = ids("pad_token_id");
  const std::vector<TokenId> bos = ids("bos_token_id");
  model.mask_id = mask.front();
  model.eos_id = eos.front();
  if (!pad.empty()) model.pad_id = pad.front();
  if (!bos.empty()) model.bos_id = bos.front();

  model.stop_ids = eos;
  const auto add_stops = [&](const std::vector<TokenId>& more) {
    model.stop_ids.insert(model.stop_ids.end(), more.begin(), more.end());
  };
  if (generation) add_stops(read_ids(*generation, std::nullopt, "eos_token_id", model.vocab_size));
  add_stops(ids("eot_token_id"));
  std::vector<TokenId> once;
  for (const TokenId id : model.stop_ids) {
    if (std::find(once.begin(), once.end(), id) == once.end()) once.push_back(id);
  }
  model.stop_ids = std::move(once);
}

GenerationDefaults read_generation(const ConfigReader& config) {
  return {.steps = config.optional_int("steps"),
          .max_new_tokens = config.optional_int("max_new_tokens"),
          .temperature = config.optional_float("temperature"),
          .top_p = config.optional_float("top_p"),
          .top_k = config.optional_int("top_k"),
          .alg = config.optional_string("alg"),
          .alg_temp = config.optional_float("alg_temp"),
          .eps = config.optional_float("eps")};
}

ModelConfig read_model(const ConfigReader& config, const std::optional<ConfigReader>& generation,
                       const TokenOfRole& tokenizer) {
  ModelConfig model;
  model.family = find_family(config);
  refuse_quantized(config);
  switch (model.family) {
    case Family::llada: read_llada(config, model); break;
    case Family::dream: read_dream(config, model); break;
  }
  const RopeSettings rope = read_rope(config, model.max_positions);
  model.rope_theta = rope.theta;
  model.rope = rope.scaling;
  model.norm_eps = config.positive("rms_norm_eps");
  check_heads(config, model);
  read_token_ids(config, generation, tokenizer, model);
  if (generation) model.generation = read_generation(*generation);
  model.note = config.optional_string("unmask_note").value_or("");
  return model;
}

}  // namespace

std::string_view family_name(Family family) {
  for (const FamilyNames& known : kFamilies) {
    if (known.family == family) return known.name;
  }
  return "unknown";
}

bool has_known_family(const fs::path& config) {
  return known_family(ConfigReader(config)).has_value();
}

ModelConfig load_model_config(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    fail("[config] {}: no such directory; expected a Hugging Face model directory",
         directory.string());
  }
  const ConfigReader config(directory / "config.json");
  const fs::path defaults = directory / "generation_config.json";
  std::optional<ConfigReader> generation;
  if (fs::exists(defaults, ignored)) generation.emplace(defaults);
  return read_model(config, generation, [&](std::string_view role) {
    return has_tokenizer(directory) ? Tokenizer::load(directory).token_of_role(role) : std::nullopt;
  });
}

ModelConfig parse_model_config(const std::string& config, const std::string& generation) {
  return read_model(ConfigReader(config, "config.json"),
                    ConfigReader(generation, "generation_config.json"), {});
}

}  // namespace unmask
