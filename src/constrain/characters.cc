#include "constrain/characters.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "io/text/utf8.h"

namespace unmask {

namespace {

constexpr char32_t kLastCharacter = 0x10ffff;

constexpr std::array<std::pair<char32_t, const char*>, 7> kEscapes{{{'"', "\\\""},
                                                                    {'\\', "\\\\"},
                                                                    {'\b', "\\b"},
                                                                    {'\f', "\\f"},
                                                                    {'\n', "\\n"},
                                                                    {'\r', "\\r"},
                                                                    {'\t', "\\t"}}};

/// Characters that stand for themselves. The ranges' encodings have one length each, and what lies
/// between is a quote, a backslash or a surrogate.
constexpr std::array<CharacterRange, 7> kPlain{{{0x20, 0x21},
                                                {0x23, 0x5b},
                                                {0x5d, 0x7f},
                                                {0x80, 0x7ff},
                                                {0x800, 0xd7ff},
                                                {0xe000, 0xffff},
                                                {0x10000, kLastCharacter}}};

/// The encodings of `range`, all of one length, as sequences of ranges of bytes: the range is cut
/// where a leading byte changes while those behind it do not run through all their values.
void add_encodings(Expressions& expressions, CharacterRange range, std::vector<Expression>& out) {
  std::string first;
  std::string last;
  append_utf8(range.first, first);
  append_utf8(range.last, last);
  const auto length = first.size();
  for (size_t tail = 1; tail < length; ++tail) {  // bytes behind the leading ones, 6 bits each
    const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
    if ((range.first | mask) >= (range.last | mask)) break;  // equal leading bytes
    if ((range.first & mask) != 0) {
      add_encodings(expressions, {range.first, range.first | mask}, out);
      add_encodings(expressions, {(range.first | mask) + 1, range.last}, out);
      return;
    }
    if ((range.last & mask) != mask) {
      add_encodings(expressions, {range.first, (range.last & ~mask) - 1}, out);
      add_encodings(expressions, {range.last & ~mask, range.last}, out);
      return;
    }
  }
  std::vector<Expression> bytes;
  for (size_t i = 0; i < length; ++i) {
    bytes.push_back(
        expressions.byte({static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i])}));
  }
  out.push_back(expressions.sequence(std::move(bytes)));
}

}  // namespace

CharacterSet::CharacterSet(std::vector<CharacterRange> ranges) : ranges_(std::move(ranges)) {
  tidy();
}

CharacterSet CharacterSet::all() { return CharacterSet({{0, kLastCharacter}}); }

void CharacterSet::add(const CharacterSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  tidy();
}

void CharacterSet::tidy() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const CharacterRange& a, const CharacterRange& b) { return a.first < b.first; });
  std::vector<CharacterRange> joined;
  for (const CharacterRange& range : ranges_) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  ranges_ = std::move(joined);
}

CharacterSet CharacterSet::complement() const {
  std::vector<CharacterRange> gaps;
  char32_t begin = 0;
  for (const CharacterRange& range : ranges_) {
    if (range.first > begin) gaps.push_back({begin, range.first - 1});
    begin = range.last + 1;
  }
  if (begin <= kLastCharacter) gaps.push_back({begin, kLastCharacter});
  return CharacterSet(std::move(gaps));
}

bool is_plain(char32_t character) {
  return std::any_of(kPlain.begin(), kPlain.end(), [&](const CharacterRange& range) {
    return range.first <= character && character <= range.last;
  });
}

CharacterSet plain_characters() { return CharacterSet({kPlain.begin(), kPlain.end()}); }

Expression string_character(Expressions& expressions, const CharacterSet& set) {
  std::vector<Expression> spellings;
  for (const CharacterRange& range : set.ranges()) {
    for (const auto& [character, escape] : kEscapes) {
      if (range.first <= character && character <= range.last) {
        spellings.push_back(expressions.literal(escape));
      }
    }
    for (const CharacterRange& plain : kPlain) {
      const CharacterRange both{std::max(range.first, plain.first),
                                std::min(range.last, plain.last)};
      if (both.first <= both.last) add_encodings(expressions, both, spellings);
    }
  }
  return expressions.choice(std::move(spellings));
}

}  // namespace unmask
