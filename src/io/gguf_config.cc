#include "io/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "io/gguf_keys.h"
#include "io/model_limits.h"

namespace unmask {

namespace {

struct Architecture {
  std::string_view name;
  Family family;
  bool qkv_bias = false;
  bool experts = false;     // in every layer, after a softmax; queries and keys are normalised
  bool normalized = false;  // weights of the experts are: the files do not say it
};
constexpr std::array kArchitectures{
    Architecture{"llada", Family::llada},
    Architecture{"dream", Family::dream, true},
    Architecture{"llada-moe", Family::llada_moe, false, true, false},
    Architecture{"rnd1", Family::rnd1, false, true, true},
};

const Architecture* find_architecture(Family family) {
  const auto* const found = std::ranges::find(kArchitectures, family, &Architecture::family);
  return found == kArchitectures.end() ? nullptr : found;
}

const Architecture& find_architecture(const GgufKeys& keys) {
  const std::string_view name = keys.text("general.architecture");
  for (const Architecture& known : kArchitectures) {
    if (known.name == name) return known;
  }
  if (name == "qwen2" || name == "qwen3" || name == "qwen3moe") {
    fail(
        "{}: architecture '{}' names an autoregressive model, and which diffusion model may have "
        "been trained from it stands nowhere in the file; use the model in safetensors",
        keys.where(), name);
  }
  fail(
      "{}: architecture '{}' is no supported diffusion model, expected llada, dream, "
      "llada-moe or rnd1",
      keys.where(), printable(name));
}

/// The stretching of rotary embeddings, by the names of the transformers library.
RopeScaling read_rope_scaling(const GgufKeys& keys, const std::string& prefix) {
  const std::string scaling = prefix + "rope.scaling.";
  const std::string_view type = keys.optional_text(scaling + "type").value_or("none");
  if (type == "none") return {};
  RopeScaling rope{.factor = keys.positive(scaling + "factor")};
  if (rope.factor < 1) keys.reject(scaling + "factor", "is below 1");
  if (type == "linear") {
    rope.kind = RopeKind::linear;
  } else if (type == "yarn") {
    rope.kind = RopeKind::yarn;
    rope.original_positions = keys.size(scaling + "original_context_length", kMaxPositions);
    rope.attention_factor = 0.1F * std::log(rope.factor) + 1;
  } else {
    keys.reject(scaling + "type", fmt::format("is '{}', only none, linear and yarn are implemented",
                                              printable(type)));
  }
  return rope;
}

void refuse_unread(const GgufKeys& keys, const std::string& prefix) {
  for (const char* key :
       {"attention.sliding_window", "rope.scale_linear", "rope.scaling.attn_factor",
        "rope.scaling.yarn_log_multiplier", "rope.scaling.yarn_ext_factor",
        "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow", "logit_scale", "residual_scale", "embedding_scale",
        "attn_logit_softcapping", "final_logit_softcapping", "use_parallel_residual",
        "attention.clamp_kqv", "attention.max_alibi_bias", "attention.scale"}) {
    if (keys.has(prefix + key))
      keys.reject(prefix + key, "is not implemented for this architecture");
  }
}

void read_heads(const GgufKeys& keys, const std::string& prefix, ModelConfig& model) {
  model.n_heads = keys.size(prefix + "attention.head_count", kMaxWidth);
  model.n_kv_heads = keys.size(prefix + "attention.head_count_kv", kMaxWidth);
  if (model.n_heads % model.n_kv_heads != 0) {
    fail("{}: {} heads are not divisible by {} key/value heads", keys.where(), model.n_heads,
         model.n_kv_heads);
  }
  const auto key_length = keys.optional_size(prefix + "attention.key_length", kMaxWidth);
  if (!key_length && model.dim % model.n_heads != 0) {
    fail("{}: width {} is not divisible by {} heads", keys.where(), model.dim, model.n_heads);
  }
  model.head_dim = key_length.value_or(model.dim / model.n_heads);
  if (model.head_dim % 2 != 0) {
    fail("{}: head size {} is odd; rotary embeddings need pairs", keys.where(), model.head_dim);
  }
  for (const char* same : {"attention.value_length", "rope.dimension_count"}) {
    const int found = keys.optional_size(prefix + same, kMaxWidth).value_or(model.head_dim);
    if (found == model.head_dim) continue;
    keys.reject(prefix + same,
                fmt::format("is {}, expected the size {} of a head", found, model.head_dim));
  }
}

/// Dense feed-forwards, or experts, whose files say the rest by their architecture.
void read_feed_forward(const GgufKeys& keys, const Architecture& architecture,
                       const std::string& prefix, ModelConfig& model) {
  if (!architecture.experts) {
    if (keys.has(prefix + "expert_count")) {
      keys.reject(prefix + "expert_count", "is not implemented for this architecture");
    }
    model.ffn_dim = keys.size(prefix + "feed_forward_length", kMaxWidth);
    return;
  }
  MoeConfig& moe = model.moe;
  moe.experts = keys.size(prefix + "expert_count", kMaxExperts);
  moe.top_k = keys.size(prefix + "expert_used_count", moe.experts);
  moe.width = keys.size(prefix + "expert_feed_forward_length", kMaxWidth);
  moe.normalized = keys.flag(prefix + "expert_weights_norm", architecture.normalized);
  moe.scale = keys.optional_positive(prefix + "expert_weights_scale").value_or(1);
  moe.layers.assign(static_cast<size_t>(model.n_layers), true);
  for (const char* key : {"expert_shared_count", "expert_group_count", "expert_gating_func",
                          "leading_dense_block_count"}) {
    if (keys.has(prefix + key)) {
      keys.reject(prefix + key, "is not implemented for this architecture");
    }
  }
}

void read_sizes(const GgufKeys& keys, const Architecture& architecture, const std::string& prefix,
                ModelConfig& model) {
  model.n_layers = keys.size(prefix + "block_count", kMaxLayers);
  model.dim = keys.size(prefix + "embedding_length", kMaxWidth);
  read_feed_forward(keys, architecture, prefix, model);
  model.max_positions = keys.size(prefix + "context_length", kMaxPositions);
  model.rope_theta = keys.positive(prefix + "rope.freq_base");
  model.rope = read_rope_scaling(keys, prefix);
  model.norm_eps = keys.positive(prefix + "attention.layer_norm_rms_epsilon");
  read_heads(keys, prefix, model);
  const GgufArray& tokens = keys.array("tokenizer.ggml.tokens", GgufType::string);
  if (tokens.count < 1 || tokens.count > static_cast<uint64_t>(kMaxVocab)) {
    keys.reject("tokenizer.ggml.tokens", fmt::format("has {} entries", tokens.count));
  }
  model.vocab_size = static_cast<int>(tokens.count);
  const std::string vocab_key = prefix + "vocab_size";
  const int told = keys.optional_size(vocab_key, kMaxVocab).value_or(model.vocab_size);
  if (told == model.vocab_size) return;
  keys.reject(vocab_key, fmt::format("is {}, expected as many as there are tokens, {}", told,
                                     model.vocab_size));
}

TokenId required_id(const GgufKeys& keys, const std::string& key, std::optional<TokenId> given,
                    int vocab_size, ErrorCode code) {
  if (given) return *given;
  const auto id = keys.token_id(key, vocab_size);
  if (!id) fail(code, "{}: key '{}' is missing", keys.where(), key);
  return *id;
}

void read_token_ids(const GgufKeys& keys, const ModelOverrides& overrides, ModelConfig& model) {
  const auto id = [&](const char* role) {
    return keys.token_id(fmt::format("tokenizer.ggml.{}_token_id", role), model.vocab_size);
  };
  model.mask_source = overrides.mask_id ? "option" : "metadata";
  model.mask_id = required_id(keys, "tokenizer.ggml.mask_token_id", overrides.mask_id,
                              model.vocab_size, ErrorCode::mask_id);
  model.eos_id = required_id(keys, "tokenizer.ggml.eos_token_id", overrides.eos_id,
                             model.vocab_size, ErrorCode::eos_id);
  model.bos_id = id("bos");
  model.pad_id = id("padding").value_or(-1);
  model.stop_ids = {model.eos_id};
  const auto end_of_turn = id("eot");
  if (end_of_turn && *end_of_turn != model.eos_id) model.stop_ids.push_back(*end_of_turn);
}

}  // namespace

std::string_view gguf_architecture(Family family) {
  const Architecture* found = find_architecture(family);
  return found == nullptr ? std::string_view() : found->name;
}

bool gguf_normalizes_experts(Family family) {
  const Architecture* found = find_architecture(family);
  return found != nullptr && found->normalized;
}

ModelConfig read_gguf_config(const GgufCheckpoint& checkpoint, const ModelOverrides& overrides) {
  const GgufKeys keys(checkpoint.first());
  const Architecture& architecture = find_architecture(keys);
  const std::string prefix = std::string(architecture.name) + ".";
  if (overrides.family && parse_family(*overrides.family) != architecture.family) {
    fail("{}: is of the architecture {}, family {} was given", keys.where(), architecture.name,
         *overrides.family);
  }
  refuse_unread(keys, prefix);
  ModelConfig model;
  model.family = architecture.family;
  model.qkv_bias = architecture.qkv_bias;
  model.qk_norm = architecture.experts;
  read_sizes(keys, architecture, prefix, model);
  model.logit_shift = keys.flag("diffusion.shift_logits", true) ? 1 : 0;
  apply_overrides(overrides, model);
  read_token_ids(keys, overrides, model);
  model.tied_head = keys.flag(kGgufTiedHead, !checkpoint.contains("output.weight"));
  model.note = keys.optional_text("unmask.note").value_or("");
  return model;
}

}  // namespace unmask
