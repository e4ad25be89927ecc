#include "serve/api/prompts.h"

#include "core/error.h"
#include "serve/api_error.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMostPrompts = 64;

CompletionPrompt read_prompt(const json& value, const std::string& path, int vocab_size) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) return read_tokens(value, path, vocab_size);
  throw invalid_value(path, fmt::format("[request] {}: found {}, expected a string or token ids",
                                        path, shown(value)));
}

}  // namespace

std::vector<TokenId> read_tokens(const json& array, const std::string& path, int vocab_size) {
  std::vector<TokenId> tokens;
  for (const json& value : array) {
    const bool fits =
        value.is_number_unsigned() && value.get<uint64_t>() < static_cast<uint64_t>(vocab_size);
    if (!fits) {
      throw invalid_value(path, fmt::format("[request] {}: found {}, expected token ids from 0 to "
                                            "{}",
                                            path, shown(value), vocab_size - 1));
    }
    tokens.push_back(static_cast<TokenId>(value.get<uint64_t>()));
  }
  return tokens;
}

std::vector<CompletionPrompt> read_prompts(Fields& body, int vocab_size) {
  const json* value = body.find("prompt");
  if (value == nullptr) body.refuse("prompt", "found nothing, expected a text or token ids");
  const bool several = value->is_array() && !value->empty() && !value->front().is_number();
  if (!several) return {read_prompt(*value, "prompt", vocab_size)};
  std::vector<CompletionPrompt> prompts;
  for (const json* element : body.array("prompt", 1, kMostPrompts)) {
    prompts.push_back(read_prompt(*element, element_path("prompt", prompts.size()), vocab_size));
  }
  return prompts;
}

}  // namespace unmask
