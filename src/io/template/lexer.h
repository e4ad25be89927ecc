// Cuts a template into text and the words of its tags, as Jinja does with trim_blocks and
// lstrip_blocks on and keep_trailing_newline off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::jinja {

enum class TokenKind : uint8_t {
  text,
  print_begin,
  print_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  real,
  symbol,
  end
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  // of strings: their value; of numbers: without underscores
  int line = 1;
};

/// Throws Error (chat_format) that names the line for what is no template.
std::vector<Token> tokenize(std::string_view source);

}  // namespace unmask::jinja
