// What the files beside tokenizer.json or vocab.json add to a tokenizer: tokens, and which token
// has which role.
#pragma once

#include <filesystem>

#include "io/text/tokenizer_spec.h"

namespace unmask {

/// Completes `spec` as the transformers library does: every token of added_tokens_decoder in
/// tokenizer_config.json, of added_tokens.json, and every special token that tokenizer_config.json
/// or special_tokens_map.json names is part of the tokenizer, with the id that the vocabulary or
/// the file gives it, else with the next free one. Sets the roles. Throws Error naming the file
/// when one is malformed.
void add_special_tokens(const std::filesystem::path& directory, TokenizerSpec& spec);

}  // namespace unmask
