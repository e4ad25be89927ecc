#include "serve/api/holes.h"

#include <charconv>

#include "core/error.h"

namespace unmask {

namespace {

constexpr std::string_view kOpen = "{{mask:";
constexpr std::string_view kClose = "}}";
constexpr int kMostMasks = 4096;

}  // namespace

std::vector<FillPart> parse_holes(std::string_view text) {
  std::vector<FillPart> parts;
  for (size_t at = text.find(kOpen); at != std::string_view::npos; at = text.find(kOpen)) {
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + kOpen.size());
    int masks = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), masks);
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    if (parsed.ec != std::errc{} || masks < 1 || masks > kMostMasks || !text.starts_with(kClose)) {
      fail("[fill] a hole that cannot be read, expected {{{{mask:N}}}} with N from 1 to {}",
           kMostMasks);
    }
    text.remove_prefix(kClose.size());
    parts.push_back({std::string(before), masks});
  }
  if (parts.empty()) fail("[fill] no hole in the text; mark holes with {{{{mask:N}}}}");
  if (!text.empty()) parts.push_back({std::string(text), 0});
  return parts;
}

}  // namespace unmask
