#include "session/fill_template.h"

#include <algorithm>

#include "core/error.h"
#include "core/parse_number.h"

namespace unmask {

namespace {

constexpr int kMaxHole = 100'000;

/// Takes "{6}" from the front of `text`; `otherwise` where there is no number in braces.
int take_size(std::string_view& text, int otherwise) {
  const size_t close = text.find('}');
  if (!text.starts_with('{') || close == std::string_view::npos) return otherwise;
  const std::string_view digits = text.substr(1, close - 1);
  const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return otherwise;
  const auto size = parse_number<int>(digits);
  if (!size || *size < 1 || *size > kMaxHole) {
    fail("[fill] hole of {{{}}} tokens, expected 1 to {}", printable(digits, 20), kMaxHole);
  }
  text.remove_prefix(close + 1);
  return *size;
}

}  // namespace

std::vector<FillPart> parse_fill_template(std::string_view text, int hole) {
  std::vector<FillPart> parts;
  for (size_t at = text.find(kHoleMark); at != std::string_view::npos; at = text.find(kHoleMark)) {
    std::string_view before = text.substr(0, at);
    text.remove_prefix(std::min(text.find_first_not_of('_', at), text.size()));
    if (before.ends_with(' ')) before.remove_suffix(1);
    parts.push_back({std::string(before), take_size(text, hole)});
  }
  if (parts.empty()) fail("[fill] no hole in the text; mark holes with ___ or ___{{6}}");
  if (!text.empty()) parts.push_back({std::string(text), 0});
  return parts;
}

}  // namespace unmask
