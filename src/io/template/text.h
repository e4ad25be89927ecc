// Strings of templates. Each knows which of its stretches people wrote, through every operation, so
// that a marker in a message never becomes a token. Positions are Python's: they count characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::jinja {

constexpr size_t kMaxTextBytes = size_t{16} << 20;

/// Valid UTF-8 of at most 16 MiB; to grow beyond that throws Error.
class Text {
 public:
  struct Stretch {
    size_t begin = 0;
    size_t end = 0;
  };

  Text() = default;
  /// What a template wrote: markers in it are tokens.
  explicit Text(std::string_view open) { append(open, false); }
  /// What people wrote. Bytes that are no UTF-8 become U+FFFD.
  static Text quote(std::string_view text);

  const std::string& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  /// What people wrote: stretches of bytes, ascending, no two of them side by side.
  const std::vector<Stretch>& quoted() const { return quoted_; }

  void append(std::string_view bytes, bool quoted);
  void append(const Text& text) { append(text, 0, text.bytes_.size()); }
  /// The bytes [begin, end) of `text`.
  void append(const Text& text, size_t begin, size_t end);
  Text part(size_t begin, size_t end) const;

 private:
  std::string bytes_;
  std::vector<Stretch> quoted_;
};

/// Goes through a text character by character.
class Characters {
 public:
  explicit Characters(const Text& text) : text_(text) {}
  bool next();  // false at the end
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  char32_t code_point() const { return code_point_; }
  std::string_view bytes() const {
    return std::string_view(text_.bytes()).substr(begin_, end_ - begin_);
  }
  bool quoted() const { return quoted_; }

 private:
  const Text& text_;
  size_t begin_ = 0, end_ = 0, stretch_ = 0;
  char32_t code_point_ = 0;
  bool quoted_ = false;
};

/// What str.isspace says of a character.
bool is_space(char32_t c);

/// Characters of a text, and where the byte of each begins, with the end of the text behind them.
int64_t length(const Text& text);
std::vector<size_t> character_offsets(const Text& text);

/// As the methods of Python's str. `chars` null: white space; `most` below 0: all.
enum class Side : uint8_t { left, right, both };
Text strip(const Text& text, const Text* chars, Side side);
std::vector<Text> split(const Text& text, const Text* separator, int64_t most, Side from);
std::vector<Text> split_lines(const Text& text, bool keep_ends);
Text replace(const Text& text, const Text& old, const Text& fresh, int64_t most);
Text join(const std::vector<Text>& parts, const Text& between);
Text repeat(const Text& text, int64_t times);

/// deviation: of the characters whose case has several letters only sharp s and ligatures are
/// written out, and a final sigma is as any other.
Text upper(const Text& text);
Text lower(const Text& text);
Text title(const Text& text);
Text capitalize(const Text& text);

}  // namespace unmask::jinja
