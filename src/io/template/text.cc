#include "io/template/text.h"

#include <algorithm>

#include "core/error.h"
#include "io/text/utf8.h"

namespace unmask::jinja {

Text Text::quote(std::string_view text) {
  Text quoted;
  quoted.append(sanitize_utf8(text), true);
  return quoted;
}

void Text::append(std::string_view bytes, bool quoted) {
  if (bytes.empty()) return;
  if (bytes.size() > kMaxTextBytes - bytes_.size()) {
    fail(ErrorCode::chat_format, "a text of more than {} MiB", kMaxTextBytes >> 20);
  }
  const size_t begin = bytes_.size();
  bytes_ += bytes;
  if (!quoted) return;
  if (!quoted_.empty() && quoted_.back().end == begin) {
    quoted_.back().end = bytes_.size();
  } else {
    quoted_.push_back({begin, bytes_.size()});
  }
}

void Text::append(const Text& text, size_t begin, size_t end) {
  const std::string_view bytes = text.bytes_;
  auto stretch = std::partition_point(text.quoted_.begin(), text.quoted_.end(),
                                      [&](const Stretch& s) { return s.end <= begin; });
  while (begin < end) {
    const bool none = stretch == text.quoted_.end() || stretch->begin >= end;
    const size_t open_end = none ? end : std::max(stretch->begin, begin);
    append(bytes.substr(begin, open_end - begin), false);
    begin = open_end;
    if (none) break;
    const size_t quoted_end = std::min(stretch->end, end);
    append(bytes.substr(begin, quoted_end - begin), true);
    begin = quoted_end;
    ++stretch;
  }
}

Text Text::part(size_t begin, size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

bool Characters::next() {
  if (end_ >= text_.bytes().size()) return false;
  const Utf8Step step = utf8_step(text_.bytes(), end_);
  begin_ = end_;
  end_ += static_cast<size_t>(step.length);
  code_point_ = step.code_point;
  const auto& stretches = text_.quoted();
  while (stretch_ < stretches.size() && stretches[stretch_].end <= begin_) ++stretch_;
  quoted_ = stretch_ < stretches.size() && stretches[stretch_].begin <= begin_;
  return true;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

int64_t length(const Text& text) {
  return std::count_if(text.bytes().begin(), text.bytes().end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::vector<size_t> character_offsets(const Text& text) {
  std::vector<size_t> offsets;
  Characters at(text);
  while (at.next()) offsets.push_back(at.begin());
  offsets.push_back(text.bytes().size());
  return offsets;
}

Text strip(const Text& text, const Text* chars, Side side) {
  std::u32string set;
  if (chars != nullptr) {
    Characters of(*chars);
    while (of.next()) set += of.code_point();
  }
  const auto goes = [&](char32_t c) {
    return chars == nullptr ? is_space(c) : set.find(c) != std::u32string::npos;
  };
  size_t begin = text.bytes().size();
  size_t end = 0;
  Characters at(text);
  while (at.next()) {
    if (goes(at.code_point())) continue;
    begin = std::min(begin, at.begin());
    end = at.end();
  }
  if (side == Side::right) begin = 0;
  if (side == Side::left) end = text.bytes().size();
  return begin < end ? text.part(begin, end) : Text();
}

namespace {

/// The words of a text and the rest that `most` splits leave, from the left.
std::vector<Text> split_at_space(const Text& text, int64_t most) {
  std::vector<Text> parts;
  size_t begin = std::string::npos;
  Characters at(text);
  while (at.next()) {
    if (is_space(at.code_point())) {
      if (begin != std::string::npos) parts.push_back(text.part(begin, at.begin()));
      begin = std::string::npos;
    } else if (begin == std::string::npos) {
      begin = at.begin();
      if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
        parts.push_back(text.part(begin, text.bytes().size()));
        return parts;
      }
    }
  }
  if (begin != std::string::npos) parts.push_back(text.part(begin, text.bytes().size()));
  return parts;
}

std::vector<Text> split_at_space_from_right(const Text& text, int64_t most) {
  std::vector<Text> parts = split_at_space(text, -1);
  if (most < 0 || static_cast<int64_t>(parts.size()) <= most) return parts;
  // The first words stay together, with the white space between and before them.
  const size_t together = parts.size() - static_cast<size_t>(most);
  size_t words = 0;
  size_t end = 0;
  bool inside = false;
  Characters at(text);
  while (at.next()) {
    const bool space = is_space(at.code_point());
    if (!space && !inside && ++words > together) break;
    inside = !space;
    if (!space) end = at.end();
  }
  std::vector<Text> joined{text.part(0, end)};
  joined.insert(joined.end(), parts.begin() + static_cast<std::ptrdiff_t>(together), parts.end());
  return joined;
}

std::vector<Text> split_from_right(const Text& text, const std::string& separator, int64_t most) {
  std::vector<Text> parts;
  size_t end = text.bytes().size();
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    if (end < separator.size()) break;
    const size_t at = text.bytes().rfind(separator, end - separator.size());
    if (at == std::string::npos) break;
    parts.push_back(text.part(at + separator.size(), end));
    end = at;
  }
  parts.push_back(text.part(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

std::vector<Text> split(const Text& text, const Text* separator, int64_t most, Side from) {
  if (separator == nullptr) {
    return from == Side::right ? split_at_space_from_right(text, most) : split_at_space(text, most);
  }
  const std::string& at = separator->bytes();
  if (at.empty()) fail(ErrorCode::chat_format, "an empty separator");
  if (from == Side::right) return split_from_right(text, at, most);
  std::vector<Text> parts;
  size_t begin = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = text.bytes().find(at, begin);
    if (found == std::string::npos) break;
    parts.push_back(text.part(begin, found));
    begin = found + at.size();
  }
  parts.push_back(text.part(begin, text.bytes().size()));
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  size_t begin = 0;
  size_t skip_to = 0;
  Characters at(text);
  while (at.next()) {
    if (at.begin() < skip_to || !is_line_break(at.code_point())) continue;
    size_t end = at.end();
    if (at.code_point() == '\r' && end < text.bytes().size() && text.bytes()[end] == '\n') ++end;
    lines.push_back(text.part(begin, keep_ends ? end : at.begin()));
    begin = skip_to = end;
  }
  if (begin < text.bytes().size()) lines.push_back(text.part(begin, text.bytes().size()));
  return lines;
}

Text replace(const Text& text, const Text& old, const Text& fresh, int64_t most) {
  Text out;
  if (old.empty()) {  // between all characters
    Characters at(text);
    int64_t done = 0;
    const auto insert = [&] {
      if (most < 0 || done++ < most) out.append(fresh);
    };
    insert();
    while (at.next()) {
      out.append(text, at.begin(), at.end());
      insert();
    }
    return out;
  }
  size_t begin = 0;
  for (int64_t done = 0; most < 0 || done < most; ++done) {
    const size_t found = text.bytes().find(old.bytes(), begin);
    if (found == std::string::npos) break;
    out.append(text, begin, found);
    out.append(fresh);
    begin = found + old.bytes().size();
  }
  out.append(text, begin, text.bytes().size());
  return out;
}

Text join(const std::vector<Text>& parts, const Text& between) {
  Text out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.append(between);
    out.append(parts[i]);
  }
  return out;
}

Text repeat(const Text& text, int64_t times) {
  Text out;
  if (text.empty()) return out;
  for (int64_t i = 0; i < times; ++i) out.append(text);
  return out;
}

}  // namespace unmask::jinja
