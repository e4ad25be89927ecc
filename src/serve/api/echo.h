// The likelihood of prompts, token by token: completions with echo and logprobs, as evaluation
// harnesses ask for them.
#pragma once

#include <vector>

#include "serve/api/context.h"

namespace unmask {

/// Prompts whose tokens are to be judged.
struct EchoQuestion {
  std::vector<std::vector<TokenId>> prompts{};
  int alternatives = 0;  // of each token
};

/// A chain of conditionals: token i given those before it, masked itself, in a canvas that ends
/// there. A pass a token; the first has no value, as in OpenAI's API. Throws ApiError for more than
/// 512 tokens, naming /v1/score.
std::unique_ptr<Plan> plan_echo(EchoQuestion question);

}  // namespace unmask
