// The files of a model whose tokens are bytes, for what needs a tokenizer but no weights.
#pragma once

#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"
#include "session/model_files.h"

namespace unmask::testing {

inline constexpr TokenId kMask = 256;
inline constexpr TokenId kEnd = 257;

/// `added`: special tokens, with ids from 258 on.
inline ModelFiles files_of(Family family, const GenerationDefaults& advice = {},
                           const std::vector<std::string>& added = {},
                           const Visibility& visibility = {}) {
  TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  for (const std::string& text : added) {
    spec.added.push_back(
        {.id = 258 + static_cast<TokenId>(spec.added.size()), .text = text, .special = true});
  }
  ModelConfig config;
  config.family = family;
  config.vocab_size = 258 + static_cast<int>(added.size());
  config.max_positions = 100;
  config.logit_shift = family == Family::dream ? 1 : 0;
  config.visibility = visibility;
  config.mask_id = kMask;
  config.eos_id = kEnd;
  config.stop_ids = {kEnd};
  config.generation = advice;
  return {config, Tokenizer::build(spec)};
}

}  // namespace unmask::testing
