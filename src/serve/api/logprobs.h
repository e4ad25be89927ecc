// Log-probabilities of an answer's tokens: each in the step that decided it, see
// generate/alternatives.h.
#pragma once

#include <optional>
#include <span>

#include "generate/alternatives.h"
#include "io/text/tokenizer.h"
#include "serve/api/envelope.h"

namespace unmask {

/// A token of an answer; one that was given has no alternatives.
struct AnswerToken {
  TokenId token = 0;
  std::optional<Alternatives> alternatives{};
};

/// How many alternatives a chat asks for: members logprobs (bool) and top_logprobs (0 to 20).
std::optional<int> read_chat_logprobs(Fields& body);
/// The same of a completion: member logprobs (0 to 5).
std::optional<int> read_completion_logprobs(Fields& body);

/// {"content":[{"token","logprob","bytes","top_logprobs"}],"refusal":null}
Json chat_logprobs(const Tokenizer& tokenizer, std::span<const AnswerToken> tokens);
/// {"tokens","token_logprobs","top_logprobs","text_offset"}; `offset` counts the answer's
/// characters and moves on.
Json completion_logprobs(const Tokenizer& tokenizer, std::span<const AnswerToken> tokens,
                         int& offset);

}  // namespace unmask
