// A prompt's text, in which what people wrote is told from what a template wrote.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/utf8.h"

namespace unmask {

/// Quoted parts are text and nothing else: a marker such as "<|eot_id|>" in them is no token, so
/// that nobody can forge a turn of a conversation. Invalid UTF-8 becomes U+FFFD.
class PromptText {
 public:
  struct Stretch {
    size_t begin = 0;
    size_t end = 0;
  };

  PromptText() = default;
  /// All of it as a template wrote it.
  explicit PromptText(std::string_view text) { write(text); }

  /// Appends what may hold tokens by their names.
  void write(std::string_view text) { append(text, open_); }
  /// Appends what people wrote.
  void quote(std::string_view text) { append(text, quoted_); }

  const std::string& text() const { return text_; }
  /// Where tokens count by their names, ascending, no two of them side by side.
  const std::vector<Stretch>& open() const { return open_; }
  /// Whether any byte of text()[begin, end) is quoted.
  bool is_quoted(size_t begin, size_t end) const;

 private:
  void append(std::string_view text, std::vector<Stretch>& stretches);

  std::string text_;
  std::vector<Stretch> open_;
  std::vector<Stretch> quoted_;
};

}  // namespace unmask
