#include "io/text/tokenizer.h"

namespace unmask {

std::string StreamDecoder::push(TokenId id) {
  if (options_.skip_special && tokenizer_->is_special(id)) return {};
  pending_ += tokenizer_->token_bytes(id);
  size_t complete = 0;
  while (complete < pending_.size()) {
    const Utf8Step step = utf8_step(pending_, complete);
    if (step.status == Utf8Status::truncated) break;
    complete += static_cast<size_t>(step.length);
  }
  std::string text = sanitize_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = sanitize_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace unmask
