// Translation of Oniguruma patterns for PCRE2.
#include <cstddef>
#include <optional>
#include <span>

#include "core/error.h"
#include "io/text/pretokenizer.h"
#include "io/text/unicode_additions.h"

namespace unmask {

namespace {

/// White space of the reference engine. PCRE2's own \s would add U+180E.
constexpr CodePointRange kSpace[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

std::string set_text(std::span<const CodePointRange> ranges) {
  std::string out;
  for (const auto& [first, last] : ranges) {
    out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<uint32_t>(first),
                       static_cast<uint32_t>(last));
  }
  return out;
}

std::string complement_text(std::span<const CodePointRange> ranges) {
  std::vector<CodePointRange> gaps;
  char32_t next = 0;
  for (const auto& [first, last] : ranges) {
    gaps.push_back({next, first - 1});
    next = last + 1;
  }
  gaps.push_back({next, 0x10FFFF});
  return set_text(gaps);
}

struct Property {
  std::string_view name = {};
  bool negated = false;
  size_t end = 0;  // index behind the escape
};

class PatternAdapter {
 public:
  explicit PatternAdapter(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] == '\\') {
        escape();
      } else if (in_set_) {
        inside_set();
      } else {
        outside_set();
      }
    }
    return std::move(out_);
  }

 private:
  bool next_is(std::string_view what) const { return pattern_.substr(at_).starts_with(what); }

  void copy(size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }

  [[noreturn]] void refuse(std::string_view construct) const {
    fail("pattern '{}': {} is not supported", printable(pattern_), construct);
  }

  void outside_set() {
    // In Oniguruma's syntax this option lets the dot match line ends, in PCRE2 it is about ^ and $.
    if (next_is("(?m")) refuse("the option (?m)");
    if (pattern_[at_] != '[') return copy(1);
    in_set_ = true;
    copy(1);
    if (next_is("^")) copy(1);
    if (next_is("]")) copy(1);  // a literal one
  }

  void inside_set() {
    if (next_is("[:")) refuse("a POSIX class");
    if (next_is("[")) refuse("a set inside a set");
    if (next_is("&&")) refuse("an intersection of sets");
    if (next_is("]")) in_set_ = false;
    copy(1);
  }

  void escape() {
    if (at_ + 1 == pattern_.size()) refuse("a backslash at the end");
    switch (pattern_[at_ + 1]) {
      case 's':
        put_set(set_text(kSpace), /*negated=*/false);
        at_ += 2;
        return;
      case 'S':
        if (in_set_) {
          out_ += complement_text(kSpace);
        } else {
          put_set(set_text(kSpace), /*negated=*/true);
        }
        at_ += 2;
        return;
      case 'p':
      case 'P': return property();
      case 'w':
      case 'W':
      case 'b':
      case 'B': refuse("an escape for word characters");
      case 'h':
      case 'H': refuse("the escape \\h");
      case 'Q': refuse("the escape \\Q");
      default: copy(2);
    }
  }

  Property read_property() const {
    Property result{.negated = pattern_[at_ + 1] == 'P'};
    const size_t begin = at_ + 2;
    if (begin >= pattern_.size()) refuse("\\p without a name");
    if (pattern_[begin] != '{') {
      result.name = pattern_.substr(begin, 1);
      result.end = begin + 1;
      return result;
    }
    const size_t close = pattern_.find('}', begin);
    if (close == std::string_view::npos) refuse("\\p without an end");
    result.name = pattern_.substr(begin + 1, close - begin - 1);
    result.end = close + 1;
    if (result.name.starts_with('^')) {
      result.negated = !result.negated;
      result.name.remove_prefix(1);
    }
    return result;
  }

  void property() {
    const Property property = read_property();
    if (property.name == "L" || property.name == "N") {
      const bool letters = property.name == "L";
      if (in_set_ && property.negated) refuse("\\P inside a set");
      put_set(letters ? "\\p{L}" + set_text(kAddedLetters) : "\\p{N}" + set_text(kAddedNumbers),
              property.negated);
      at_ = property.end;
    } else {
      copy(property.end - at_);
    }
  }

  void put_set(const std::string& content, bool negated) {
    if (in_set_) {
      out_ += content;
    } else {
      out_ += (negated ? "[^" : "[") + content + "]";
    }
  }

  std::string_view pattern_;
  size_t at_ = 0;
  bool in_set_ = false;
  std::string out_;
};

}  // namespace

std::string adapt_pattern(std::string_view pattern) { return PatternAdapter(pattern).run(); }

}  // namespace unmask
