#include "session/generation_rules.h"

#include <algorithm>

namespace unmask {

namespace {

constexpr int kLladaBlock = 32;  // of the published evaluations of LLaDA-8B-Instruct
constexpr int kSubBlock = 8;     // small_block_size of Fast-dLLM v2

/// The rules of block diffusion: whole blocks, the surest tokens of each step at least.
GenerationRules block_rules(const ModelConfig& config, double threshold) {
  return {.algorithm = Algorithm::maskgit_plus,
          .counts = Counts::even_block,
          .threshold = threshold,
          .above = true,
          .least = true,
          .top_k_first = true,
          .block_length = config.visibility.block};
}

}  // namespace

GenerationRules rules_of(const ModelConfig& config) {
  switch (config.family) {
    case Family::llada:
    case Family::llada_moe: return {.block_length = kLladaBlock};
    case Family::dream: return {.algorithm = Algorithm::entropy, .advised = true};
    case Family::llada2: return block_rules(config, 0.95);
    case Family::sdar: return block_rules(config, 0.85);
    case Family::fast_dllm_v2: {
      GenerationRules rules = block_rules(config, 0.9);
      const bool parts = config.visibility.block % kSubBlock == 0;
      if (parts) rules.block_length = kSubBlock;
      return rules;
    }
    case Family::a2d:
      return {.counts = Counts::linear,
              .block_length =
                  config.visibility.is_block_causal() ? config.visibility.block : kLladaBlock};
    case Family::open_dcoder:
      return {.algorithm = Algorithm::entropy, .remask = true, .temperature = 0.7, .steps = 200};
    case Family::rnd1:
      return {.algorithm = Algorithm::entropy,
              .counts = Counts::countdown,
              .temperature = 0.1,
              .steps = 256};
  }
  return {};
}

}  // namespace unmask
