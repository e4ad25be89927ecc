#include "io/text/prompt_text.h"

#include <algorithm>

namespace unmask {

bool PromptText::is_quoted(size_t begin, size_t end) const {
  const auto next = std::partition_point(quoted_.begin(), quoted_.end(),
                                         [&](const Stretch& s) { return s.end <= begin; });
  return begin < end && next != quoted_.end() && next->begin < end;
}

void PromptText::append(std::string_view text, std::vector<Stretch>& stretches) {
  if (text.empty()) return;
  const size_t begin = text_.size();
  text_ += sanitize_utf8(text);
  if (!stretches.empty() && stretches.back().end == begin) {
    stretches.back().end = text_.size();
  } else {
    stretches.push_back({begin, text_.size()});
  }
}

}  // namespace unmask
