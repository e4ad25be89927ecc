#include "io/model_config.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "io/config_reader.h"
#include "io/containers/open_file.h"
#include "io/family_config.h"
#include "io/gguf_config.h"
#include "io/model_family.h"
#include "io/quantization.h"
#include "io/text/tokenizer.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

void check_heads(const ConfigReader& config, ModelConfig& model) {
  if (model.head_dim == 0 && model.dim % model.n_heads != 0) {
    fail("{}: width {} is not divisible by {} heads", config.where(), model.dim, model.n_heads);
  }
  if (model.n_heads % model.n_kv_heads != 0) {
    fail("{}: {} heads are not divisible by {} key/value heads", config.where(), model.n_heads,
         model.n_kv_heads);
  }
  if (model.head_dim == 0) model.head_dim = model.dim / model.n_heads;
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

/// The id of a role that neither file names, by the tokenizer; none where it knows none.
std::optional<TokenId> id_by_tokenizer(const ConfigReader& config, const std::string& role,
                                       const TokenOfRole& tokenizer, int vocab_size) {
  const std::optional<TokenId> id = tokenizer ? tokenizer(role) : std::nullopt;
  if (id && *id >= vocab_size) {
    config.reject(role + "_id",
                  fmt::format("is missing, and the tokenizer's {} has the id {}, outside the "
                              "vocabulary of {}",
                              role, *id, vocab_size));
  }
  return id;
}

/// The mask token, from who names it first: the user, the files, the tokenizer, the family.
void read_mask(const ConfigReader& config, const std::optional<ConfigReader>& generation,
               const TokenOfRole& tokenizer, const ModelOverrides& overrides, ModelConfig& model) {
  const auto found = [&](TokenId id, std::string_view source) {
    model.mask_id = id;
    model.mask_source = source;
  };
  if (overrides.mask_id) return found(*overrides.mask_id, "option");
  const auto ids = read_ids(config, generation, "mask_token_id", model.vocab_size);
  if (!ids.empty()) return found(ids.front(), "configuration");
  if (const auto id = id_by_tokenizer(config, "mask_token", tokenizer, model.vocab_size)) {
    return found(*id, "tokenizer");
  }
  const FamilyFacts& facts = facts_of(model.family);
  if (facts.mask_id >= 0 && facts.mask_id < model.vocab_size) return found(facts.mask_id, "family");
  if (facts.mask_id >= 0) {
    fail(ErrorCode::mask_id,
         "{}: key 'mask_token_id' is missing, the tokenizer's files name no mask_token, and the {} "
         "that {} uses is outside the vocabulary of {}",
         config.where(), facts.mask_id, facts.name, model.vocab_size);
  }
  fail(ErrorCode::mask_id,
       "{}: key 'mask_token_id' is missing and the tokenizer's files name no mask_token: the model "
       "has no mask token, so it is no masked diffusion model",
       config.where());
}

void read_token_ids(const ConfigReader& config, const std::optional<ConfigReader>& generation,
                    const TokenOfRole& tokenizer, const ModelOverrides& overrides,
                    ModelConfig& model) {
  read_mask(config, generation, tokenizer, overrides, model);
  const auto ids = [&](std::string_view key) {
    return read_ids(config, generation, key, model.vocab_size);
  };
  const std::vector<TokenId> pad = ids("pad_token_id");
  const std::vector<TokenId> bos = ids("bos_token_id");
  std::vector<TokenId> eos =
      overrides.eos_id ? std::vector{*overrides.eos_id} : ids("eos_token_id");
  if (eos.empty()) {
    const auto id = id_by_tokenizer(config, "eos_token", tokenizer, model.vocab_size);
    if (id) eos.push_back(*id);
  }
  if (eos.empty() && facts_of(model.family).eos_is_pad) eos = pad;
  if (eos.empty()) {
    fail(ErrorCode::eos_id, "{}: key 'eos_token_id' is missing", config.where());
  }
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
                       const TokenOfRole& tokenizer, const ModelOverrides& overrides) {
  ModelConfig model;
  model.family = overrides.family ? parse_family(*overrides.family) : find_family(config);
  refuse_quantized(config);
  read_family(config, model);
  apply_overrides(overrides, model);
  const RopeSettings rope = read_rope(config, model.max_positions, model.rotary_dim > 0);
  model.rope_theta = rope.theta;
  model.rope = rope.scaling;
  model.norm_eps = config.positive("rms_norm_eps");
  check_heads(config, model);
  read_token_ids(config, generation, tokenizer, overrides, model);
  if (generation) model.generation = read_generation(*generation);
  model.note = config.optional_string("unmask_note").value_or("");
  return model;
}

}  // namespace

bool has_known_family(const fs::path& config) {
  return known_family(ConfigReader(config)).has_value();
}

void apply_overrides(const ModelOverrides& overrides, ModelConfig& model) {
  for (const auto& [id, what] : {std::pair{overrides.mask_id, "mask"}, {overrides.eos_id, "end"}}) {
    if (!id || (*id >= 0 && *id < model.vocab_size)) continue;
    fail("[model] {} id: found {}, expected a token of the vocabulary of {}", what, *id,
         model.vocab_size);
  }
  if (overrides.shift_logits) model.logit_shift = *overrides.shift_logits ? 1 : 0;
  if (!overrides.block) return;
  if (*overrides.block < 0) {
    fail("[model] block: found {}, expected positions, or 0 for full attention", *overrides.block);
  }
  model.visibility.block = *overrides.block;
}

ModelConfig load_model_config(const fs::path& directory, const ModelOverrides& overrides) {
  if (is_gguf_file(directory)) return read_gguf_config(GgufCheckpoint(directory), overrides);
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    fail("[config] {}: no such directory; expected a Hugging Face model directory",
         directory.string());
  }
  const ConfigReader config(directory / "config.json");
  const fs::path defaults = directory / "generation_config.json";
  std::optional<ConfigReader> generation;
  if (may_exist(defaults)) generation.emplace(defaults);
  const auto by_tokenizer = [&](std::string_view role) {
    return has_tokenizer(directory) ? Tokenizer::load(directory).token_of_role(role) : std::nullopt;
  };
  return read_model(config, generation, by_tokenizer, overrides);
}

ModelConfig parse_model_config(const std::string& config, const std::string& generation) {
  return read_model(ConfigReader(config, "config.json"),
                    ConfigReader(generation, "generation_config.json"), {}, {});
}

}  // namespace unmask
