#include "session/decisions/answer_labels.h"

#include <algorithm>

namespace unmask {

namespace {

constexpr size_t kMostLabels = 255;

/// `text` in lower case without blanks around it; ASCII only.
std::string bare(std::string text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::vector<std::string> candidates() {
  std::vector<std::string> texts;
  const auto add_range = [&](char from, char to, const std::string& before) {
    for (char c = from; c <= to; ++c) texts.push_back(before + c);
  };
  add_range('A', 'Z', "");
  add_range('a', 'z', "");
  add_range('0', '9', "");
  for (char c = 'A'; c <= 'Z'; ++c) add_range('A', 'Z', std::string(1, c));
  return texts;
}

/// Finds out how texts are cut right behind a prompt.
class BehindPrompt {
 public:
  BehindPrompt(const Tokenizer& tokenizer, const ChatTemplate& format)
      : tokenizer_(tokenizer),
        prompt_(format.render(std::vector<ChatMessage>{{"user", "?"}})),
        tokens_(tokenizer.encode(prompt_)) {}

  /// The label of a text that adds exactly one token; false for another.
  bool add(const std::string& text, std::vector<AnswerLabels::Label>& labels) const {
    PromptText longer = prompt_;
    longer.quote(text);
    const std::vector<TokenId> ids = tokenizer_.encode(longer);
    const bool fits =
        ids.size() == tokens_.size() + 1 && std::equal(tokens_.begin(), tokens_.end(), ids.begin());
    if (fits) labels.push_back({text, ids.back()});
    return fits;
  }

 private:
  const Tokenizer& tokenizer_;
  PromptText prompt_;
  std::vector<TokenId> tokens_;
};

}  // namespace

AnswerLabels::AnswerLabels(const Tokenizer& tokenizer, const ChatTemplate& format) {
  check_markers(format, tokenizer);
  const BehindPrompt place(tokenizer, format);
  for (const std::string& text : candidates()) {
    if (letters_.size() < kMostLabels) place.add(text, letters_);
  }
  for (char c = '0'; c <= '9'; ++c) {
    if (!place.add(std::string(1, c), digits_)) break;
  }
  for (TokenId id = 0; id <= tokenizer.max_id(); ++id) {
    if (tokenizer.is_special(id)) continue;
    const std::string said = bare(tokenizer.token_bytes(id));
    if (said == "yes") yes_.push_back(id);
    if (said == "no") no_.push_back(id);
  }
}

}  // namespace unmask
