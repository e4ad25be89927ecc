#include "io/family_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask {

namespace {

// Bounds no real model comes near, small enough that products of two fit 64 bits with ease.
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxLayers = 1 << 12;
constexpr int kMaxPositions = 1 << 24;  // some 100 times the most of any model
constexpr int kMaxExperts = 1 << 12;

// The mask ids are the default arguments of the published code.
constexpr std::array kFacts{
    FamilyFacts{Family::llada, "LLaDA", "llada"},
    FamilyFacts{Family::dream, "Dream", "dream"},
    FamilyFacts{Family::llada_moe, "LLaDA-MoE", "llada-moe", 156895},
    FamilyFacts{Family::llada2, "LLaDA2", "llada2", 156895, true},
    FamilyFacts{Family::sdar, "SDAR", "sdar", 151669},
    FamilyFacts{Family::fast_dllm_v2, "Fast-dLLM v2", "fast-dllm-v2", 151665},
    FamilyFacts{Family::a2d, "A2D", "a2d", 151669},
    FamilyFacts{Family::open_dcoder, "Open-dCoder", "open-dcoder", 151665},
    FamilyFacts{Family::rnd1, "RND1", "rnd1", 151669},
};

struct FamilyNames {
  Family family;
  std::string_view model_type;    // as config.json spells it
  std::string_view architecture;  // entry of `architectures`
};
constexpr std::array kNames{
    FamilyNames{Family::llada, "llada", "LLaDAModelLM"},
    FamilyNames{Family::dream, "Dream", "DreamModel"},
    FamilyNames{Family::llada_moe, "llada", "LLaDAMoEModelLM"},
    FamilyNames{Family::llada_moe, "lladamoe", "LLaDAMoEModelLM"},
    FamilyNames{Family::llada2, "llada2_moe", "LLaDA2MoeModelLM"},
    FamilyNames{Family::llada2, "llada21_moe", "LLaDA2MoeModelLM"},
    FamilyNames{Family::sdar, "sdar", "SDARForCausalLM"},
    FamilyNames{Family::sdar, "sdar_moe", "SDARMoeForCausalLM"},
    FamilyNames{Family::fast_dllm_v2, "Fast_dLLM_Qwen", "Fast_dLLM_QwenForCausalLM"},
    FamilyNames{Family::a2d, "a2d-qwen3", "A2DQwen3LMHeadModel"},
    FamilyNames{Family::a2d, "a2d-qwen2", "A2DQwen2LMHeadModel"},
    FamilyNames{Family::rnd1, "rnd1", "RND1LM"},
};

void read_sizes(const ConfigReader& config, ModelConfig& model) {
  model.dim = config.size("hidden_size", kMaxWidth);
  model.n_layers = config.size("num_hidden_layers", kMaxLayers);
  model.n_heads = config.size("num_attention_heads", kMaxWidth);
  model.n_kv_heads = config.size("num_key_value_heads", kMaxWidth);
  if (config.has("head_dim")) model.head_dim = config.size("head_dim", kMaxWidth);
  model.vocab_size = config.size("vocab_size", kMaxVocab);
  model.max_positions = config.size("max_position_embeddings", kMaxPositions);
  model.tied_head = config.flag("tie_word_embeddings");
  config.require("hidden_act", "silu");
  config.accept_only("use_sliding_window", false);
}

/// The names of Qwen's configurations, which most families took over.
void read_qwen(const ConfigReader& config, ModelConfig& model) {
  read_sizes(config, model);
  model.ffn_dim = config.size("intermediate_size", kMaxWidth);
  config.accept_only("use_mrope", false);
}

/// Experts as Qwen3-MoE has them: every layer, a softmax, renormalised.
void read_qwen_experts(const ConfigReader& config, ModelConfig& model) {
  MoeConfig& moe = model.moe;
  moe.experts = config.size("num_experts", kMaxExperts);
  moe.top_k = config.size("num_experts_per_tok", moe.experts);
  moe.width = config.size("moe_intermediate_size", kMaxWidth);
  moe.normalized = config.optional_flag("norm_topk_prob").value_or(true);
  config.accept_only("decoder_sparse_step", 1);
  config.accept_only("mlp_only_layers", nlohmann::json::array());
  moe.layers.assign(static_cast<size_t>(model.n_layers), true);
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
}

void read_dream(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  model.qkv_bias = true;  // the architecture has them, whatever the configuration says
  model.logit_shift = 1;
}

/// The router is a softmax whose probabilities are used as they are: the published code reads
/// neither norm_topk_prob nor routed_scaling_factor. What would be another model is refused.
void read_llada_moe(const ConfigReader& config, ModelConfig& model) {
  read_sizes(config, model);
  MoeConfig& moe = model.moe;
  moe.experts = config.size("num_experts", kMaxExperts);
  moe.top_k = config.size("num_experts_per_tok", moe.experts);
  moe.width = config.size("expert_intermediate_size", kMaxWidth);
  moe.layers.assign(static_cast<size_t>(model.n_layers), true);
  config.accept_only("moe_layer_freq", nlohmann::json(moe.layers.size(), 1));
  for (const char* key : {"attention_bias", "moe_router_enable_expert_bias"}) {
    config.accept_only(key, false);
  }
  for (const char* key : {"shared_expert_intermediate_size", "clip_qkv"}) {
    if (config.has(key)) config.reject(key, "is set, which is not implemented");
  }
  for (const char* key : {"router_num_group", "router_topk_group", "partial_rotary_factor"}) {
    config.accept_only(key, 1);
  }
  config.accept_only("moe_router_score_function", "softmax");
  model.qk_norm = config.flag("qk_layernorm");
}

void read_llada2(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  for (const char* key : {"use_bias", "use_qkv_bias"}) config.require(key, false);
  for (const char* key : {"norm_head", "norm_softmax", "using_split_qkv_in_self_attention"}) {
    config.accept_only(key, false);
  }
  config.require("score_function", "sigmoid");
  config.accept_only("use_rmsnorm", true);
  model.qk_norm = config.optional_flag("use_qk_norm").value_or(true);
  MoeConfig& moe = model.moe;
  moe.experts = config.size("num_experts", kMaxExperts);
  moe.top_k = config.size("num_experts_per_tok", moe.experts);
  moe.width = config.size("moe_intermediate_size", kMaxWidth);
  if (config.optional_int("num_shared_experts").value_or(0) > 0) {
    moe.shared_width = moe.width * config.size("num_shared_experts", kMaxExperts);
  }
  moe.sigmoid = true;
  moe.normalized = config.flag("norm_topk_prob") && moe.top_k > 1;
  moe.scale = config.positive("routed_scaling_factor");
  moe.groups = config.size("n_group", moe.experts);
  moe.groups_kept = config.size("topk_group", moe.groups);
  if (moe.experts % moe.groups != 0) config.reject("n_group", "does not divide num_experts");
  if (moe.top_k > moe.experts / moe.groups * moe.groups_kept) {
    config.reject("num_experts_per_tok", "is more than the kept groups hold");
  }
  moe.bias = config.flag("moe_router_enable_expert_bias");
  const int dense = config.optional_int("first_k_dense_replace").value_or(0);
  for (int layer = 0; layer < model.n_layers; ++layer) moe.layers.push_back(layer >= dense);
  const float share = config.optional_float("partial_rotary_factor").value_or(1);
  if (!(share > 0 && share <= 1)) config.reject("partial_rotary_factor", "is not in (0, 1]");
  const int head_dim = model.head_dim > 0 ? model.head_dim : model.dim / model.n_heads;
  model.rotary_dim = static_cast<int>(static_cast<float>(head_dim) * share);
  if (model.rotary_dim < 2 || model.rotary_dim % 2 != 0) {
    config.reject("partial_rotary_factor", "leaves an odd number of elements to rotate, or none");
  }
  model.visibility = Visibility::block_causal(32);  // a default argument of the published code
}

void read_sdar(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  config.accept_only("attention_bias", false);
  model.qk_norm = true;
  if (config.has("num_experts")) read_qwen_experts(config, model);
  // Older files lack the key.
  const int block = config.has("block_size") ? config.size("block_size", kMaxPositions) : 4;
  model.visibility = Visibility::block_causal(block);
}

void read_fast_dllm_v2(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  model.qkv_bias = true;
  model.logit_shift = 1;
  const int block = config.has("bd_size") ? config.size("bd_size", kMaxPositions) : 32;
  model.visibility = Visibility::block_causal(block);
}

void read_a2d(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  model.qkv_bias = config.optional_string("model_type") == "a2d-qwen2";
  model.qk_norm = !model.qkv_bias;
  config.accept_only("attention_bias", false);
  model.visibility.from_prompt = true;  // of the block-causal ones, which their files do not tell
}

void read_rnd1(const ConfigReader& config, ModelConfig& model) {
  read_qwen(config, model);
  config.accept_only("attention_bias", false);
  read_qwen_experts(config, model);
  model.qk_norm = true;
  model.logit_shift = 1;
}

}  // namespace

const FamilyFacts& facts_of(Family family) {
  return *std::find_if(kFacts.begin(), kFacts.end(),
                       [&](const FamilyFacts& facts) { return facts.family == family; });
}

std::string_view family_name(Family family) { return facts_of(family).name; }

std::vector<std::string> family_options() {
  std::vector<std::string> names;
  names.reserve(kFacts.size());
  for (const FamilyFacts& facts : kFacts) names.emplace_back(facts.option);
  return names;
}

Family parse_family(std::string_view name) {
  for (const FamilyFacts& facts : kFacts) {
    if (facts.option == name) return facts.family;
  }
  fail("[model] family '{}' is unknown; there is {}", printable(name),
       fmt::join(family_options(), ", "));
}

std::optional<Family> known_family(const ConfigReader& config) {
  const std::string type = config.optional_string("model_type").value_or("");
  const std::vector<std::string> architectures = config.strings("architectures");
  for (const FamilyNames& known : kNames) {
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
  supported.reserve(kNames.size());
  for (const FamilyNames& known : kNames) {
    supported.push_back(fmt::format("{} ({})", known.model_type, known.architecture));
  }
  fail("{}: model_type '{}' ({}) is not supported; supported are {}", config.where(),
       printable(type), printable(fmt::format("{}", fmt::join(architectures, ", "))),
       fmt::join(supported, ", "));
}

void read_family(const ConfigReader& config, ModelConfig& model) {
  switch (model.family) {
    case Family::llada: return read_llada(config, model);
    case Family::dream:
    case Family::open_dcoder: return read_dream(config, model);
    case Family::llada_moe: return read_llada_moe(config, model);
    case Family::llada2: return read_llada2(config, model);
    case Family::sdar: return read_sdar(config, model);
    case Family::fast_dllm_v2: return read_fast_dllm_v2(config, model);
    case Family::a2d: return read_a2d(config, model);
    case Family::rnd1: return read_rnd1(config, model);
  }
}

}  // namespace unmask
