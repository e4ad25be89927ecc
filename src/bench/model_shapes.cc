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
  static const std::map<std::string, std::function<ModelShape()>> table{{"llada-8b", llada_8b},
                                                                        {"dream-7b", dream_7b},
                                                                        {"demo", demo},
                                                                        {"tiny-llada", tiny_llada},
                                                                        {"tiny-dream", tiny_dream}};
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
