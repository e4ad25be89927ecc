#include "constrain/regex.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "constrain/characters.h"
#include "core/error.h"
#include "io/text/utf8.h"

namespace unmask {

namespace {

constexpr int kMostRepeats = 64;
constexpr int kMostNesting = 16;
constexpr size_t kMostBytes = 1024;

const std::vector<CharacterRange> kDigits{{'0', '9'}};
const std::vector<CharacterRange> kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
// White space and line ends of ECMA 262.
const std::vector<CharacterRange> kSpace{
    {0x09, 0x0d},     {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
const std::vector<CharacterRange> kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class Parser {
 public:
  Parser(Expressions& expressions, std::string_view pattern, std::string_view where)
      : expressions_(expressions), pattern_(pattern), where_(where) {}

  Expression run() {
    if (pattern_.size() > kMostBytes) refuse("a longer pattern", "at most 1,024 bytes");
    std::vector<Expression> alternatives;
    do {
      alternatives.push_back(outermost_alternative());
    } while (take('|'));
    if (!done()) refuse("a ')' without its '('", "pairs of parentheses");
    return expressions_.choice(std::move(alternatives));
  }

 private:
  [[noreturn]] void refuse(std::string_view found, std::string_view expected) const {
    fail(ErrorCode::schema, "{}: found {} at byte {} of the pattern, expected {}", where_, found,
         at_, expected);
  }

  bool done() const { return at_ == pattern_.size(); }
  char peek() const { return done() ? '\0' : pattern_[at_]; }
  bool take(char c) {
    if (done() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }

  char32_t take_character() {
    const Utf8Step step = utf8_step(pattern_, at_);
    if (step.status != Utf8Status::valid) refuse("broken UTF-8", "characters");
    at_ += static_cast<size_t>(step.length);
    return step.code_point;
  }

  Expression any_text() {
    return expressions_.repeat(string_character(expressions_, CharacterSet::all()), 0);
  }

  /// A pattern matches anywhere unless it is anchored.
  Expression outermost_alternative() {
    std::vector<Expression> parts;
    if (!take('^')) parts.push_back(any_text());
    parts.push_back(terms());
    if (!take('$')) parts.push_back(any_text());
    return expressions_.sequence(std::move(parts));
  }

  Expression terms() {
    std::vector<Expression> parts;
    while (!done() && peek() != '|' && peek() != ')') {
      const bool at_end = at_ + 1 == pattern_.size() || pattern_[at_ + 1] == '|';
      if (peek() == '$' && nesting_ == 0 && at_end) break;
      parts.push_back(repeated(atom()));
    }
    return expressions_.sequence(std::move(parts));
  }

  Expression atom() {
    switch (peek()) {
      case '(': return group();
      case '[': return string_character(expressions_, bracketed());
      case '\\': return string_character(expressions_, escaped());
      case '.': ++at_; return string_character(expressions_, CharacterSet(kLineEnds).complement());
      case '^':
      case '$': refuse("an anchor inside", "anchors at the ends of the pattern");
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']': refuse(std::string("a '") + peek() + "' that repeats or closes nothing", "a '\\'");
      default: break;
    }
    const char32_t character = take_character();
    return string_character(expressions_, CharacterSet({{character, character}}));
  }

  Expression group() {
    ++at_;
    if (take('?') && !take(':')) refuse("a special group", "( ) or (?: )");
    if (++nesting_ > kMostNesting) refuse("more nested groups", "at most 16");
    std::vector<Expression> alternatives;
    do {
      alternatives.push_back(terms());
    } while (take('|'));
    if (!take(')')) refuse("no ')'", "pairs of parentheses");
    --nesting_;
    return expressions_.choice(std::move(alternatives));
  }

  Expression repeated(Expression part) {
    int least = 0;
    std::optional<int> most;
    if (take('+')) {
      least = 1;
    } else if (take('?')) {
      most = 1;
    } else if (take('{')) {
      std::tie(least, most) = counts();
    } else if (!take('*')) {
      return part;
    }
    take('?');  // whether a repeat is lazy makes no difference to what matches
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
      refuse("a repeat of a repeat", "a group around it");
    }
    return expressions_.repeat(part, least, most);
  }

  std::pair<int, std::optional<int>> counts() {
    const int least = count();
    std::optional<int> most = least;
    if (take(',')) {
      most.reset();
      if (peek() != '}') most = count();
    }
    if (!take('}')) refuse("no '}'", "{n}, {n,} or {n,m}");
    if (most && *most < least) refuse("a repeat {n,m} with m < n", "n <= m");
    return {least, most};
  }

  int count() {
    int value = 0;
    const char* const end = pattern_.data() + pattern_.size();
    const auto [next, problem] = std::from_chars(pattern_.data() + at_, end, value);
    if (problem != std::errc() || value < 0 || value > kMostRepeats) {
      refuse("no such number of repeats", "0 to 64");
    }
    at_ = static_cast<size_t>(next - pattern_.data());
    return value;
  }

  char32_t hexadecimal(size_t digits) {
    uint32_t value = 0;
    const std::string_view text = pattern_.substr(at_, digits);
    const auto [next, problem] =
        std::from_chars(text.data(), text.data() + text.size(), value, /*base=*/16);
    if (text.size() < digits || problem != std::errc() || next != text.data() + digits) {
      refuse("too few hexadecimal digits", "\\xhh or \\uhhhh");
    }
    at_ += digits;
    return value;
  }

  CharacterSet escaped() {
    ++at_;
    if (done()) refuse("a '\\' before nothing", "an escaped character");
    const auto one = [](char32_t character) { return CharacterSet({{character, character}}); };
    const char c = pattern_[at_++];
    switch (c) {
      case 'd': return CharacterSet(kDigits);
      case 'D': return CharacterSet(kDigits).complement();
      case 'w': return CharacterSet(kWord);
      case 'W': return CharacterSet(kWord).complement();
      case 's': return CharacterSet(kSpace);
      case 'S': return CharacterSet(kSpace).complement();
      case 'n': return one('\n');
      case 'r': return one('\r');
      case 't': return one('\t');
      case 'f': return one('\f');
      case 'v': return one('\v');
      case 'x': return one(hexadecimal(2));
      case 'u': return one(hexadecimal(4));
      default: break;
    }
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte | 0x20U) >= 'a' && (byte | 0x20U) <= 'z';
    if (byte >= 0x80 || letter || (byte >= '0' && byte <= '9')) {
      refuse(std::string("the escape '\\") + printable(std::string_view(&c, 1)) + "'",
             "\\d \\w \\s, a control character or punctuation");
    }
    return one(byte);
  }

  /// One character or one class inside brackets.
  CharacterSet member() {
    if (done()) refuse("no ']'", "pairs of brackets");
    if (peek() == '\\') {
      if (pattern_.substr(at_, 2) == "\\b") {
        at_ += 2;
        return CharacterSet({{'\b', '\b'}});
      }
      return escaped();
    }
    const char32_t character = take_character();
    return CharacterSet({{character, character}});
  }

  CharacterSet bracketed() {
    ++at_;
    const bool negated = take('^');
    CharacterSet set;
    while (!take(']')) {
      const CharacterSet first = member();
      const bool range = peek() == '-' && pattern_.substr(at_ + 1, 1) != "]";
      if (!range) {
        set.add(first);
        continue;
      }
      ++at_;
      const CharacterSet last = member();
      const auto single = [](const CharacterSet& s) {
        return s.ranges().size() == 1 && s.ranges()[0].first == s.ranges()[0].last;
      };
      if (!single(first) || !single(last) || first.ranges()[0].first > last.ranges()[0].first) {
        refuse("a range that runs backwards or from a class", "ascending characters");
      }
      set.add(CharacterSet({{first.ranges()[0].first, last.ranges()[0].first}}));
    }
    return negated ? set.complement() : set;
  }

  Expressions& expressions_;
  std::string_view pattern_;
  std::string_view where_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

Expression pattern_expression(Expressions& expressions, std::string_view pattern,
                              std::string_view where) {
  return Parser(expressions, pattern, where).run();
}

}  // namespace unmask
