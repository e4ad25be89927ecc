#include "serve/text/stop_strings.h"

#include <algorithm>
#include <utility>

namespace unmask {

namespace {

/// Bytes at the end of `text` that `string` may begin with, fewer than it has.
size_t overlap(std::string_view text, std::string_view string) {
  for (size_t count = std::min(text.size(), string.size() - 1); count > 0; --count) {
    if (text.ends_with(string.substr(0, count))) return count;
  }
  return 0;
}

}  // namespace

std::string StopStrings::push(std::string_view piece) {
  if (found_) return {};
  held_ += piece;
  size_t first = std::string::npos;
  size_t kept = 0;
  for (const std::string& string : strings_) {
    first = std::min(first, held_.find(string));
    kept = std::max(kept, overlap(held_, string));
  }
  found_ = first != std::string::npos;
  std::string text = held_.substr(0, found_ ? first : held_.size() - kept);
  held_.erase(0, found_ ? held_.size() : text.size());
  return text;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace unmask
