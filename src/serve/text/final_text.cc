#include "serve/text/final_text.h"

#include <algorithm>

namespace unmask {

FinalText::FinalText(const Tokenizer& tokenizer, const Request& request, Options options)
    : tokens_(request.tokens),
      eos_ids_(request.eos_ids),
      options_(std::move(options)),
      decoder_(tokenizer, {.skip_special = true}),
      stops_(options_.stops),
      next_(static_cast<size_t>(options_.begin)) {
  for (const TokenId token : tokens_) given_.push_back(token != options_.mask_id);
  if (request.answer_length > 0 && !options_.end) {
    options_.end = request.prompt_length + request.answer_length;
  }
}

std::string FinalText::advance(std::span<const Decision> decided, int length, int settled) {
  settled_ = static_cast<size_t>(settled);
  tokens_.resize(static_cast<size_t>(length), options_.mask_id);
  for (const Decision& d : decided) tokens_[static_cast<size_t>(d.position)] = d.token;
  return read();
}

std::string FinalText::read() {
  std::string text;
  const auto end = std::min(
      tokens_.size(), static_cast<size_t>(options_.end.value_or(static_cast<int>(tokens_.size()))));
  while (next_ < std::min(end, settled_) && !ended() && tokens_[next_] != options_.mask_id) {
    const TokenId token = tokens_[next_];
    const bool given = next_ < given_.size() && given_[next_];
    ended_ = !given && std::find(eos_ids_.begin(), eos_ids_.end(), token) != eos_ids_.end();
    if (ended_) break;
    ++next_;
    count_ += static_cast<int>(!given);
    text += stops_.push(decoder_.push(token));
  }
  return text;
}

std::string FinalText::finish() {
  settled_ = tokens_.size();
  std::string text = read();
  text += stops_.push(decoder_.finish());
  return text + stops_.finish();
}

}  // namespace unmask
