// Prompts of completions: texts, or tokens.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "io/text/tokenizer.h"
#include "serve/fields.h"

namespace unmask {

/// A text, or what it was encoded to.
using CompletionPrompt = std::variant<std::string, std::vector<TokenId>>;

/// The member "prompt": a string, strings, token ids or lists of token ids, 64 prompts at most.
/// Throws ApiError, also for ids outside `vocab_size`.
std::vector<CompletionPrompt> read_prompts(Fields& body, int vocab_size);

/// Token ids of an array at `path`. Throws ApiError for others than 0 to `vocab_size` - 1.
std::vector<TokenId> read_tokens(const nlohmann::json& array, const std::string& path,
                                 int vocab_size);

}  // namespace unmask
