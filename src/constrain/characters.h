// Sets of Unicode characters, and how they are written inside a JSON string.
#pragma once

#include <vector>

#include "constrain/expression.h"

namespace unmask {

/// Characters `first` to `last`, both included.
struct CharacterRange {
  char32_t first = 0;
  char32_t last = 0;
};

/// Ascending ranges with gaps between them.
class CharacterSet {
 public:
  CharacterSet() = default;
  explicit CharacterSet(std::vector<CharacterRange> ranges);
  static CharacterSet all();

  void add(const CharacterSet& other);
  CharacterSet complement() const;
  const std::vector<CharacterRange>& ranges() const { return ranges_; }

 private:
  void tidy();

  std::vector<CharacterRange> ranges_;
};

/// Whether `character` stands for itself inside a JSON string.
bool is_plain(char32_t character);
/// All of those.
CharacterSet plain_characters();

/// One character of `set` between the quotes of a JSON string, in its one spelling here: the
/// character itself in UTF-8; a quote, a backslash and \b \f \n \r \t escaped. The other control
/// characters have no spelling and are left out, as are surrogates, which are no characters.
Expression string_character(Expressions& expressions, const CharacterSet& set);

}  // namespace unmask
