// What a finished request says, in the words that every front end reports.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "generate/engine.h"
#include "io/text/tokenizer.h"

namespace unmask {

/// "stop" after an end token, "length" without one, "cancelled" when somebody ended it.
std::string_view finish_reason(const Result& result);

/// Tokens that the model chose for the answer; masks and what follows the end token do not count.
int answer_tokens(const Request& request, const Result& result, TokenId mask_id);

/// Text of the answer, special tokens left out.
std::string answer_text(const Tokenizer& tokenizer, const Result& result);

/// Text of tokens of which some are unknown yet: a hole, "___", for masks between others, nothing
/// for those behind the last one.
std::string known_text(const Tokenizer& tokenizer, std::span<const TokenId> tokens,
                       TokenId mask_id);

}  // namespace unmask
