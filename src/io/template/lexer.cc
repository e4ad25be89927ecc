#include "io/template/lexer.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "io/template/text.h"
#include "io/text/utf8.h"

namespace unmask::jinja {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Line breaks are LF, and one at the end does not count.
std::string with_plain_lines(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_lines(sanitize_utf8(source))) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_text();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    fail(ErrorCode::chat_format, "line {}: {}", line_, what);
  }
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool is_next(std::string_view text) const { return rest().starts_with(text); }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  void skip(size_t count) {
    for (const size_t end = at_ + count; at_ < end; ++at_) line_ += source_[at_] == '\n' ? 1 : 0;
  }
  void skip_space() {
    while (at_ < source_.size()) {
      const Utf8Step step = utf8_step(source_, at_);
      if (!is_space(step.code_point)) return;
      skip(static_cast<size_t>(step.length));
    }
  }

  /// The text up to the next tag, and that tag.
  void read_text() {
    const size_t begin = at_;
    size_t tag = source_.find('{', at_);
    while (tag != std::string::npos) {
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : ' ';
      if (next == '{' || next == '%' || next == '#') break;
      tag = source_.find('{', tag + 1);
    }
    if (tag == std::string::npos) tag = source_.size();
    std::string text = source_.substr(begin, tag - begin);
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (tag < source_.size()) trim_before(text, sign, source_[tag + 1] == '{');
    if (!text.empty()) add(TokenKind::text, std::move(text));
    skip(tag - begin);
    if (at_ < source_.size()) read_tag(sign == '-' || sign == '+' ? 3 : 2);
  }

  /// What a tag takes from the text before it.
  void trim_before(std::string& text, char sign, bool print) const {
    if (sign == '-') {
      text = strip(Text(text), nullptr, Side::right).bytes();
    } else if (sign != '+' && !print) {
      const size_t line = text.rfind('\n') + 1;  // 0 without one
      if (line == 0 && !line_begins_) return;
      const Text indent(std::string_view(text).substr(line));
      if (strip(indent, nullptr, Side::both).empty()) text.resize(line);
    }
  }

  void read_tag(size_t opening) {
    const char kind = source_[at_ + 1];
    if (kind == '#') {
      skip(opening);
      read_comment();
    } else if (kind == '%' && is_raw(opening)) {
      read_raw();
    } else {
      add(kind == '{' ? TokenKind::print_begin : TokenKind::block_begin, "");
      skip(opening);
      read_words(kind == '{');
    }
  }

  /// After `size` bytes of an end: what the sign before it says of the white space behind.
  void close(size_t size, char sign, bool print) {
    skip(size);
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && !print && is_next("\n")) {
      skip(1);
    }
    line_begins_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  void read_comment() {
    // "{#-#}" closes with the sign that opened it, as the pattern of Jinja reads it.
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) refuse("a comment without its end '#}'");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    skip(end - at_);
    close(2, sign, false);
  }

  bool is_raw(size_t opening) const {
    const std::string inner = strip(Text(rest().substr(opening, 64)), nullptr, Side::left).bytes();
    if (!inner.starts_with("raw")) return false;
    const std::string behind =
        strip(Text(std::string_view(inner).substr(3)), nullptr, Side::left).bytes();
    return behind.starts_with("%}") || behind.starts_with("-%}");
  }

  void read_raw() {
    const size_t opened = source_.find("%}", at_);
    const bool trims = source_[opened - 1] == '-';
    skip(opened + 2 - at_);
    if (trims) skip_space();
    line_begins_ = source_[at_ - 1] == '\n';
    for (size_t end = source_.find("{%", at_); end != std::string::npos;
         end = source_.find("{%", end + 2)) {
      const size_t closed = source_.find("%}", end);
      if (closed == std::string::npos) break;
      std::string_view inner = std::string_view(source_).substr(end + 2, closed - end - 2);
      const char before = inner.empty() ? ' ' : inner.front();
      const char after = inner.empty() ? ' ' : inner.back();
      if (before == '-' || before == '+') inner.remove_prefix(1);
      if (!inner.empty() && (after == '-' || after == '+')) inner.remove_suffix(1);
      if (strip(Text(inner), nullptr, Side::both).bytes() != "endraw") continue;
      std::string text = source_.substr(at_, end - at_);
      trim_before(text, before, false);
      if (!text.empty()) add(TokenKind::text, std::move(text));
      skip(closed - at_);
      close(2, after, false);
      return;
    }
    refuse("a 'raw' without its 'endraw'");
  }

  void read_words(bool print) {
    const std::string_view end = print ? "}}" : "%}";
    std::string brackets;
    while (true) {
      skip_space();
      if (at_ == source_.size()) refuse(fmt::format("a tag without its end '{}'", end));
      if (brackets.empty()) {
        const char sign = source_[at_];
        const size_t signs = sign == '-' || (sign == '+' && !print) ? 1 : 0;
        if (rest().substr(signs).starts_with(end)) {
          add(print ? TokenKind::print_end : TokenKind::block_end, "");
          return close(signs + 2, signs == 1 ? sign : ' ', print);
        }
      }
      read_word(brackets);
    }
  }

  /// Bytes of the name that begins here. Of characters beyond ASCII, all but blanks may be in it.
  size_t name_size() const {
    size_t end = at_;
    while (end < source_.size()) {
      const Utf8Step step = utf8_step(source_, end);
      const char c = source_[end];
      const bool fits = step.code_point < 0x80 ? is_name_start(c) || (is_digit(c) && end > at_)
                                               : !is_space(step.code_point);
      if (!fits) break;
      end += static_cast<size_t>(step.length);
    }
    return end - at_;
  }

  void read_word(std::string& brackets) {
    const char c = source_[at_];
    if (is_digit(c)) return read_number();
    if (const size_t size = name_size(); size > 0) {
      add(TokenKind::name, source_.substr(at_, size));
      return skip(size);
    }
    if (c == '\'' || c == '"') return read_string(c);
    constexpr std::array<std::string_view, 6> kPairs{"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kSingle = "+-/*%~[](){}<>=.:|,;";
    for (const std::string_view pair : kPairs) {
      if (!is_next(pair)) continue;
      add(TokenKind::symbol, std::string(pair));
      return skip(2);
    }
    if (kSingle.find(c) == std::string_view::npos) {
      refuse(fmt::format("unexpected character '{}'", printable(rest().substr(0, 1))));
    }
    balance(c, brackets);
    add(TokenKind::symbol, std::string(1, c));
    skip(1);
  }

  void balance(char c, std::string& brackets) const {
    if (c == '(') brackets += ')';
    if (c == '[') brackets += ']';
    if (c == '{') brackets += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets.empty()) refuse(fmt::format("unexpected '{}'", c));
    if (brackets.back() != c) {
      refuse(fmt::format("found '{}', expected '{}'", c, brackets.back()));
    }
    brackets.pop_back();
  }

  void read_number() {
    const size_t begin = at_;
    size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() &&
             (is_digit(source_[end]) ||
              (source_[end] == '_' && end + 1 < source_.size() && is_digit(source_[end + 1])))) {
        ++end;
      }
    };
    const auto is_digit_at = [&](size_t at) {
      return at < source_.size() && is_digit(source_[at]);
    };
    digits();
    // "1.2" is a number, but in "x.1.2" only the places of x are named.
    const bool place = begin > 0 && source_[begin - 1] == '.';
    bool real = false;
    if (!place && end < source_.size() && source_[end] == '.' && is_digit_at(end + 1)) {
      real = true;
      ++end;
      digits();
    }
    if (!place && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-') ? 1 : 0;
      if (is_digit_at(end + 1 + sign)) {
        real = true;
        end += 1 + sign;
        digits();
      }
    }
    std::string text = source_.substr(begin, end - begin);
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    if (!real && text.size() > 1 && text[0] == '0' &&
        text.find_first_not_of('0') != std::string::npos) {
      refuse(fmt::format("the number '{}' begins with a 0", printable(text)));
    }
    add(real ? TokenKind::real : TokenKind::integer, std::move(text));
    skip(end - begin);
    if (at_ < source_.size() && is_name_start(source_[at_])) refuse("a name behind a number");
  }

  void read_string(char mark) {
    const int line = line_;
    std::string text;
    size_t at = at_ + 1;
    while (at < source_.size() && source_[at] != mark) {
      if (source_[at] == '\\' && at + 1 < source_.size()) {
        at = read_escape(at + 1, text);
      } else {
        text += source_[at++];
      }
    }
    if (at >= source_.size()) refuse("a string without its end");
    skip(at + 1 - at_);
    tokens_.push_back({TokenKind::string, std::move(text), line});
  }

  /// The escape behind a backslash; returns where it ends.
  size_t read_escape(size_t at, std::string& text) {
    const char c = source_[at];
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeaning = "\\'\"\a\b\f\n\r\t\v";
    if (c == '\n') return at + 1;  // continues on the next line
    if (const size_t known = kLetters.find(c); known != std::string_view::npos) {
      text += kMeaning[known];
      return at + 1;
    }
    const bool octal = c >= '0' && c <= '7';
    const size_t most = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == 'N') refuse("\\N{...} in a string");
    if (most == 0) {  // as Python: it stands for itself
      text += '\\';
      return at;
    }
    size_t digits = octal ? at : at + 1;
    char32_t code_point = 0;
    size_t count = 0;
    for (; count < most && digits < source_.size(); ++count, ++digits) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const size_t value = kDigits.find(
          static_cast<char>(source_[digits] >= 'A' && source_[digits] <= 'F' ? source_[digits] + 32
                                                                             : source_[digits]));
      if (value == std::string_view::npos || (octal && value > 7)) break;
      code_point = code_point * (octal ? 8 : 16) + static_cast<char32_t>(value);
    }
    const bool scalar = code_point < 0x110000 && (code_point < 0xD800 || code_point > 0xDFFF);
    if ((!octal && count < most) || !scalar) refuse("a broken escape in a string");
    append_utf8(code_point, text);
    return digits;
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_begins_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace unmask::jinja
