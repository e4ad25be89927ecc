#include "serve/api/logprobs.h"

#include <algorithm>

namespace unmask {

namespace {

constexpr int kMostChatAlternatives = 20;
constexpr int kMostCompletionAlternatives = 5;

std::string text_of(const Tokenizer& tokenizer, TokenId token) {
  return sanitize_utf8(tokenizer.token_bytes(token));
}

Json entry(const Tokenizer& tokenizer, TokenId token, const Json& log_probability) {
  Json bytes = Json::array();
  for (const char c : tokenizer.token_bytes(token)) bytes.push_back(static_cast<uint8_t>(c));
  return {{"token", text_of(tokenizer, token)},
          {"logprob", log_probability},
          {"bytes", std::move(bytes)}};
}

/// Characters of a text, as clients count them.
int characters(const std::string& text) {
  return static_cast<int>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::optional<int> read_chat_logprobs(Fields& body) {
  const bool wanted = body.flag("logprobs").value_or(false);
  const auto count = body.count("top_logprobs", 0, kMostChatAlternatives);
  if (count && !wanted) body.refuse("top_logprobs", "expected logprobs to be true beside it");
  return wanted ? std::optional(count.value_or(0)) : std::nullopt;
}

std::optional<int> read_completion_logprobs(Fields& body) {
  return body.count("logprobs", 0, kMostCompletionAlternatives);
}

Json chat_logprobs(const Tokenizer& tokenizer, std::span<const AnswerToken> tokens) {
  Json content = Json::array();
  for (const AnswerToken& t : tokens) {
    if (!t.alternatives) continue;
    Json one = entry(tokenizer, t.token, t.alternatives->log_probability);
    one["top_logprobs"] = Json::array();
    for (const TokenProbability& other : t.alternatives->top) {
      one["top_logprobs"].push_back(entry(tokenizer, other.token, other.log_probability));
    }
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json completion_logprobs(const Tokenizer& tokenizer, std::span<const AnswerToken> tokens,
                         int& offset) {
  Json texts = Json::array();
  Json values = Json::array();
  Json top = Json::array();
  Json offsets = Json::array();
  for (const AnswerToken& t : tokens) {
    const std::string text = text_of(tokenizer, t.token);
    texts.push_back(text);
    offsets.push_back(offset);
    offset += characters(text);
    values.push_back(t.alternatives ? Json(t.alternatives->log_probability) : Json());
    Json others = t.alternatives ? Json::object() : Json();
    for (size_t i = 0; t.alternatives && i < t.alternatives->top.size(); ++i) {
      const TokenProbability& other = t.alternatives->top[i];
      others[text_of(tokenizer, other.token)] = other.log_probability;
    }
    top.push_back(std::move(others));
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace unmask
