// Texts with holes: "The ___ of France is ___{6}."
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// What marks a hole.
inline constexpr std::string_view kHoleMark = "___";

/// A piece of text and the number of masks behind it; only the last piece may have none.
struct FillPart {
  std::string text;
  int masks = 0;
  bool operator==(const FillPart&) const = default;
};

/// A hole is a run of three or more underscores, of `hole` masks or of as many as a number in
/// braces behind it says. One blank before a hole belongs to the hole, because in byte-level
/// vocabularies the blank is the beginning of the word that is to be found. Throws Error when there
/// is no hole or a number is out of range.
std::vector<FillPart> parse_fill_template(std::string_view text, int hole);

}  // namespace unmask
