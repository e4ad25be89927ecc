// What a finished request says, in the words that every front end reports.
#pragma once

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

}  // namespace unmask
