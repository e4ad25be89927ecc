// The requests that golden cases of the model families describe (their "loop" and "params").
#pragma once

#include <algorithm>

#include "generate/engine.h"
#include "support/golden.h"

namespace unmask::golden {

/// What the files of a case's checkpoint leave to the one who runs it.
inline ModelOverrides overrides_of(const Case& c) {
  const auto& json = c.json;
  ModelOverrides overrides;
  const std::string loop = json.value("loop", "");
  if (json.contains("mask_token_id")) overrides.mask_id = json["mask_token_id"].get<int>();
  if (loop.empty() && json.contains("attention")) {  // a forward pass
    overrides.block = json["attention"] == "block-causal" ? json["block_length"].get<int>() : 0;
  }
  if (loop.starts_with("llada2") || loop == "sdar") {
    overrides.block = json["params"]["block_length"].get<int>();
  }
  if (loop == "fast-dllm-v2" || loop == "bd3lm") {
    overrides.block = json["params"]["block_size"].get<int>();
  }
  if (loop == "mdlm" || loop == "bd3lm") {
    overrides.shift_logits = json["params"]["right_shift_logits"].get<bool>();
  }
  return overrides;
}

/// Blocks that begin at multiples of `block`, of a prompt that may end inside of one, up to `end`.
inline Request grid_request(const Case& c, const ModelConfig& config, int block, int end) {
  const auto prompt = c.json["prompt"].get<std::vector<TokenId>>();
  const auto length = static_cast<int>(prompt.size());
  Request request = append_masks(prompt, end - length, config.mask_id);
  request.block_length = block;
  request.first_block = std::min(block - length % block, request.gen_length());
  request.method = "block-cache";
  return request;
}

inline int round_up(int n, int block) { return (n + block - 1) / block * block; }

inline Request llada_request(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  Request request = append_masks(c.json["prompt"], params["gen_length"], config.mask_id);
  request.block_length = params["block_length"];
  request.steps = params["steps"];
  request.cfg_scale = params["cfg_scale"];
  if (!params["threshold"].is_null()) request.sampler.threshold = params["threshold"];
  return request;
}

inline Request llada2_request(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  const int block = params["block_length"];
  const int length = params["gen_length"];
  const auto prompt = static_cast<int>(c.json["prompt"].size());
  Request request = grid_request(c, config, block, round_up(prompt + length, block));
  request.answer_length = length;
  request.eos_ids = {params["eos_id"]};
  SamplerOptions& sampler = request.sampler;
  sampler.algorithm = Algorithm::maskgit_plus;
  sampler.threshold = params["threshold"];
  sampler.above = true;
  sampler.least = true;
  if (c.json["loop"] == "llada2.0") {
    request.steps_per_block =
        std::min(params["steps"].get<int>(), length / params["minimal_topk"].get<int>());
    sampler.counts = Counts::even_block;
    request.early_stop = params["eos_early_stop"];
    request.stop_after_block = true;
    return request;
  }
  request.steps_per_block = block;
  sampler.counts = Counts::fixed;
  sampler.per_step = params["num_to_transfer"];
  sampler.editing = {params["editing_threshold"], params["max_post_steps"]};
  request.stop_after_block = params["eos_early_stop"];
  return request;
}

inline Request sdar_request(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  const int block = params["block_length"];
  const auto prompt = static_cast<int>(c.json["prompt"].size());
  Request request =
      grid_request(c, config, block, round_up(prompt + params["gen_length"].get<int>(), block));
  request.steps_per_block = params["denoising_steps"];
  request.stop_after_block = !params["stop_ids"].is_null();
  if (request.stop_after_block) request.eos_ids = params["stop_ids"].get<std::vector<TokenId>>();
  SamplerOptions& sampler = request.sampler;
  const bool sequential = params["remasking_strategy"] == "sequential";
  sampler.algorithm = sequential ? Algorithm::sequential : Algorithm::maskgit_plus;
  sampler.counts = Counts::even_block;
  if (params["remasking_strategy"] == "low_confidence_dynamic") {
    sampler.threshold = params["confidence_threshold"];
    sampler.above = true;
    sampler.least = true;
  }
  sampler.temperature = params["temperature"];
  sampler.greedy = true;  // the authors' draw was replaced by arg-max
  if (params["top_k"] > 0) sampler.top_k = params["top_k"];
  sampler.top_p = params["top_p"];
  sampler.top_k_first = true;
  return request;
}

inline Request fast_dllm_v2_request(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  const int block = params["block_size"];
  const auto prompt = static_cast<int>(c.json["prompt"].size());
  const int blocks = prompt / block + params["max_new_tokens"].get<int>() / block;
  // The pass that commits the last block gives one token more.
  Request request = grid_request(c, config, params["small_block_size"], blocks * block + 1);
  request.steps_per_block = request.block_length;
  if (params["use_block_cache"]) {
    request.method += fmt::format(":sub_block={}", params["small_block_size"].get<int>());
  }
  request.eos_ids = {params["stop_id"]};
  request.early_stop = params["entry"] == "generate";
  request.stop_after_block = !request.early_stop;
  SamplerOptions& sampler = request.sampler;
  sampler.algorithm = Algorithm::maskgit_plus;
  sampler.threshold = params["threshold"];
  sampler.above = true;
  return request;
}

inline std::vector<TokenId> tokens_or_none(const nlohmann::json& list) {
  return list.is_null() ? std::vector<TokenId>() : list.get<std::vector<TokenId>>();
}

inline Request a2d_request(const Case& c, const ModelConfig& config) {
  const auto& params = c.json["params"];
  const bool blocks = c.json["loop"] == "bd3lm";
  Request request = append_masks(c.json["prompt"], params["max_new_tokens"], config.mask_id);
  request.block_length = std::min(request.gen_length(), params["block_size"].get<int>());
  const int steps = params["steps"];
  request.steps_per_block = (steps + request.blocks() - 1) / request.blocks();
  if (blocks && !params["steps_per_block"].is_null()) {
    request.steps_per_block = params["steps_per_block"];
  }
  request.cfg_scale = params["cfg_scale"];
  request.sampler.counts = Counts::linear;
  if (blocks) {
    request.method = "block-cache";
    request.eos_ids = {params["eos_id"]};
    request.stop_after_block = true;
  } else {
    request.sampler.suppressed = tokens_or_none(params["suppress_tokens"]);
    request.sampler.deferred = tokens_or_none(params["begin_suppress_tokens"]);
  }
  return request;
}

inline Request dreamon_request(const Case& c) {
  const auto& params = c.json["params"];
  const auto& ids = c.json["ids"];
  Request request;
  request.tokens = c.json["start"].get<std::vector<TokenId>>();
  request.prompt_length = c.json["prefix_len"];
  request.block_length = request.gen_length();
  request.steps = 1;
  request.sampler.algorithm = parse_algorithm(params["alg"].get<std::string>());
  request.sampler.counts = Counts::fixed;
  const auto start = static_cast<int>(request.tokens.size());
  const int expansions = params["max_gen_len"];
  HoleGrowth growth{.expand_id = ids["expand"], .expansions = expansions, .end_id = ids["eos"]};
  if (params["delete_eos_token"]) growth.delete_id = ids["eos"].get<TokenId>();
  growth.most_tokens = std::min(params["max_tokens"].get<int>(),
                                start + expansions - params["min_gen_len"].get<int>());
  growth.fill_behind_end = params["pad_eos_to_right"];
  request.growth = growth;
  return request;
}

inline Request family_request(const Case& c, const ModelConfig& config) {
  const std::string loop = c.json["loop"];
  if (loop == "llada") return llada_request(c, config);
  if (loop.starts_with("llada2")) return llada2_request(c, config);
  if (loop == "sdar") return sdar_request(c, config);
  if (loop == "fast-dllm-v2") return fast_dllm_v2_request(c, config);
  if (loop == "dreamon") return dreamon_request(c);
  return a2d_request(c, config);
}

}  // namespace unmask::golden
