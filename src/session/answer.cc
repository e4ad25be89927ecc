#include "session/answer.h"

#include <algorithm>

#include "session/fill_template.h"

namespace unmask {

std::string_view finish_reason(const Result& result) {
  if (result.cancelled) return "cancelled";
  return result.answer.end < static_cast<int>(result.tokens.size()) ? "stop" : "length";
}

int answer_tokens(const Request& request, const Result& result, TokenId mask_id) {
  int count = 0;
  for (int p = result.answer.begin; p < result.answer.end; ++p) {
    const auto i = static_cast<size_t>(p);
    const bool open = i >= request.tokens.size() || request.tokens[i] == mask_id;
    count += static_cast<int>(open && result.tokens[i] != mask_id);
  }
  return count;
}

std::string answer_text(const Tokenizer& tokenizer, const Result& result) {
  const auto tokens = std::span(result.tokens)
                          .subspan(static_cast<size_t>(result.answer.begin),
                                   static_cast<size_t>(result.answer.size()));
  return tokenizer.decode(tokens, {.skip_special = true});
}

std::string known_text(const Tokenizer& tokenizer, std::span<const TokenId> tokens,
                       TokenId mask_id) {
  std::string text;
  while (true) {
    const auto mask = std::find(tokens.begin(), tokens.end(), mask_id);
    const auto known = static_cast<size_t>(mask - tokens.begin());
    text += tokenizer.decode(tokens.first(known), {.skip_special = true});
    const auto next =
        std::find_if(mask, tokens.end(), [&](TokenId token) { return token != mask_id; });
    if (next == tokens.end()) return text;
    text += kHoleMark;
    tokens = tokens.subspan(static_cast<size_t>(next - tokens.begin()));
  }
}

}  // namespace unmask
