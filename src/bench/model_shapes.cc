#include "bench/model_shapes.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask {

using nlohmann::ordered_json;

namespace {

/// As published with LLaDA-8B-Instruct.
ModelShape llada_8b() {
  return {ordered_json::parse(R"({
    "activation_type": "silu", "alibi": false, "alibi_bias_max": 8.0,
    "architectures": ["LLaDAModelLM"], "attention_dropout": 0.0, "attention_layer_norm": false,
    "attention_layer_norm_with_affine": true, "bias_for_layer_norm": false,
    "block_group_size": 1, "block_type": "llama", "d_model": 4096, "embedding_dropout": 0.0,
    "embedding_size": 126464, "eos_token_id": 126081, "flash_attention": false,
    "include_bias": false, "include_qkv_bias": false, "init_cutoff_factor": null,
    "init_device": "meta", "init_fn": "mitchell", "init_std": 0.02, "input_emb_norm": false,
    "layer_norm_type": "rms", "layer_norm_with_affine": true, "mask_token_id": 126336,
    "max_sequence_length": 4096, "mlp_hidden_size": 12288, "mlp_ratio": 4, "model_type": "llada",
    "multi_query_attention": null, "n_heads": 32, "n_kv_heads": 32, "n_layers": 32,
    "pad_token_id": 126081, "precision": "amp_bf16", "residual_dropout": 0.0,
    "rms_norm_eps": 1e-05, "rope": true, "rope_full_precision": true, "rope_theta": 500000.0,
    "scale_logits": false, "transformers_version": "4.46.3", "use_cache": false,
    "vocab_size": 126464, "weight_tying": false})"),
          ordered_json::parse(R"({"bos_token_id": 126080, "eos_token_id": 126081})"), "n_layers"};
}

/// As published with Dream-v0-Instruct-7B.
ModelShape dream_7b() {
  return {ordered_json::parse(R"({
    "architectures": ["DreamModel"], "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 3584,
    "initializer_range": 0.02, "intermediate_size": 18944, "mask_token_id": 151666,
    "max_position_embeddings": 131072, "max_window_layers": 28, "model_type": "Dream",
    "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
    "pad_token_id": 151643, "rms_norm_eps": 1e-06, "rope_scaling": null,
    "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "transformers_version": "4.46.2", "use_cache": true,
    "use_mrope": false, "use_sliding_window": false, "vocab_size": 152064})"),
          ordered_json::parse(R"({
    "alg": "origin", "alg_temp": null, "bos_token_id": 151643, "eos_token_id": 151643,
    "eps": 0.001, "mask_token_id": null, "output_history": false, "pad_token_id": 151643,
    "steps": 512, "temperature": 0.0, "top_k": null, "top_p": null})"),
          "num_hidden_layers"};
}

/// What the configurations of Qwen's descendants have in common.
ModelShape qwen_like(const char* own) {
  ModelShape shape{ordered_json::parse(R"({
    "attention_bias": false, "attention_dropout": 0.0, "hidden_act": "silu",
    "initializer_range": 0.02, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
    "rope_scaling": null, "rope_theta": 1000000, "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "use_sliding_window": false, "vocab_size": 151936})"),
                   ordered_json::object(), "num_hidden_layers"};
  shape.config.update(ordered_json::parse(own));
  return shape;
}

/// LLaDA-MoE-7B-A1B.
ModelShape llada_moe_7b() {
  ModelShape shape = qwen_like(R"({
    "architectures": ["LLaDAMoEModelLM"], "model_type": "llada", "hidden_size": 2048,
    "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 16,
    "num_experts": 64, "num_experts_per_tok": 8, "expert_intermediate_size": 1024,
    "dense_intermediate_size": 8192, "shared_expert_intermediate_size": null,
    "qk_layernorm": true, "rope_theta": 50000, "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-05, "vocab_size": 157184, "mask_token_id": 156895,
    "eos_token_id": 156892, "pad_token_id": 156892})");
  return shape;
}

/// LLaDA2.0-mini, 16B-A1.4B.
ModelShape llada2_mini() {
  return qwen_like(R"({
    "architectures": ["LLaDA2MoeModelLM"], "model_type": "llada2_moe", "hidden_size": 2048,
    "intermediate_size": 5120, "num_hidden_layers": 20, "first_k_dense_replace": 1,
    "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128,
    "partial_rotary_factor": 0.5, "rope_theta": 600000, "num_experts": 256,
    "num_experts_per_tok": 8, "moe_intermediate_size": 512, "num_shared_experts": 1,
    "n_group": 8, "topk_group": 4, "norm_topk_prob": true, "score_function": "sigmoid",
    "routed_scaling_factor": 2.5, "moe_router_enable_expert_bias": true, "use_bias": false,
    "use_qkv_bias": false, "vocab_size": 157184, "mask_token_id": 156895,
    "pad_token_id": 156892})");
}

/// SDAR-1.7B-Chat, which has the shape of Qwen3-1.7B.
ModelShape sdar_1_7b() {
  return qwen_like(R"({
    "architectures": ["SDARForCausalLM"], "model_type": "sdar", "block_size": 4,
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "tie_word_embeddings": true, "mask_token_id": 151669, "eos_token_id": 151643,
    "bos_token_id": 151643})");
}

/// Fast-dLLM v2 1.5B, which has the shape of Qwen2.5-1.5B.
ModelShape fast_dllm_v2_1_5b() {
  return qwen_like(R"({
    "architectures": ["Fast_dLLM_QwenForCausalLM"], "model_type": "Fast_dLLM_Qwen",
    "bd_size": 32, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
    "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": true,
    "mask_token_id": 151665, "eos_token_id": 151645, "pad_token_id": 151643})");
}

/// Qwen3-0.6B-diffusion (mdlm).
ModelShape qwen3_0_6b() {
  return qwen_like(R"({
    "architectures": ["A2DQwen3LMHeadModel"], "model_type": "a2d-qwen3", "hidden_size": 1024,
    "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": true,
    "mask_token_id": 151669, "eos_token_id": 151645, "pad_token_id": 151643})");
}

ModelShape tiny_llada() {
  ModelShape shape = llada_8b();
  shape.config.update({{"d_model", 128},
                       {"embedding_size", 512},
                       {"eos_token_id", 498},
                       {"mask_token_id", 500},
                       {"max_sequence_length", 1024},
                       {"mlp_hidden_size", 320},
                       {"n_heads", 4},
                       {"n_kv_heads", 4},
                       {"n_layers", 4},
                       {"pad_token_id", 498},
                       {"vocab_size", 512}});
  shape.generation = {{"bos_token_id", 497}, {"eos_token_id", 498}};
  return shape;
}

/// The model embedded in this project (models/demo).
ModelShape demo() {
  ModelShape shape = tiny_llada();
  shape.config.update({{"d_model", 256},
                       {"embedding_size", 2048},
                       {"eos_token_id", 2041},
                       {"mask_token_id", 2042},
                       {"max_sequence_length", 4096},
                       {"mlp_hidden_size", 768},
                       {"n_layers", 5},
                       {"pad_token_id", 2041},
                       {"vocab_size", 2048}});
  shape.generation = {{"bos_token_id", 2040}, {"eos_token_id", 2041}};
  return shape;
}

ModelShape tiny_dream() {
  ModelShape shape = dream_7b();
  shape.config.update({{"bos_token_id", 496},
                       {"eos_token_id", 496},
                       {"hidden_size", 128},
                       {"intermediate_size", 320},
                       {"mask_token_id", 501},
                       {"max_position_embeddings", 2048},
                       {"max_window_layers", 4},
                       {"num_attention_heads", 4},
                       {"num_hidden_layers", 4},
                       {"num_key_value_heads", 2},
                       {"pad_token_id", 496},
                       {"vocab_size", 512}});
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    shape.generation[key] = 496;
  }
  return shape;
}

const std::map<std::string, std::function<ModelShape()>>& shapes() {
  static const std::map<std::string, std::function<ModelShape()>> table{
      {"llada-8b", llada_8b},         {"dream-7b", dream_7b},
      {"llada-moe-7b", llada_moe_7b}, {"llada2-mini", llada2_mini},
      {"sdar-1.7b", sdar_1_7b},       {"fast-dllm-v2-1.5b", fast_dllm_v2_1_5b},
      {"qwen3-0.6b", qwen3_0_6b},     {"demo", demo},
      {"tiny-llada", tiny_llada},     {"tiny-dream", tiny_dream}};
  return table;
}

}  // namespace

std::vector<std::string> model_shape_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : shapes()) names.push_back(name);
  return names;
}

ModelShape model_shape(const std::string& name) {
  const auto found = shapes().find(name);
  if (found == shapes().end()) {
    fail("[shape] '{}' is unknown; use one of {}", printable(name),
         fmt::join(model_shape_names(), ", "));
  }
  return found->second();
}

}  // namespace unmask
