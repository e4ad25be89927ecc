#include "apps/terminal/canvas.h"

#include <algorithm>
#include <numeric>
#include <utf8proc.h>

#include "io/text/terminal_controls.h"
#include "io/text/utf8.h"

namespace unmask {

namespace {

constexpr std::string_view kMaskSign = "\u2591";     // light shade
constexpr std::string_view kSpecialSign = "\u00b7";  // middle dot
constexpr std::string_view kReplacement = "\ufffd";
constexpr std::string_view kTab = "    ";

int columns(char32_t c) { return utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)); }

/// A line may end behind `left`.
bool may_break_between(const Cell& left, const Cell& right) {
  const auto is_sign = [](const Cell& c) {
    return c.style == CellStyle::mask || c.style == CellStyle::dim;
  };
  return left.text == " " || left.text == kTab || is_sign(left) || is_sign(right) ||
         left.width == 2 || right.width == 2;
}

/// Cuts off what of a full line has to go to the next one together with `next`.
CellLine take_tail(CellLine& line, const Cell& next) {
  size_t place = line.size();
  while (place > 0 &&
         !may_break_between(line[place - 1], place == line.size() ? next : line[place])) {
    --place;
  }
  if (place == 0) return {};  // a word of more than a line is cut where it is
  CellLine tail(line.begin() + static_cast<std::ptrdiff_t>(place), line.end());
  line.resize(place);
  return tail;
}

std::string_view escape_code(CellStyle style) {
  switch (style) {
    case CellStyle::plain: return "";
    case CellStyle::mask:
    case CellStyle::dim: return "\x1b[2m";
    case CellStyle::fresh: return "\x1b[1;32m";
  }
  return "";
}

Cell cell_of(const std::string& bytes, size_t at, const Utf8Step& step) {
  if (step.status != Utf8Status::valid) return {std::string(kReplacement)};
  if (step.code_point == '\n') return {"\n", 0};
  if (step.code_point == '\t') return {std::string(kTab), static_cast<int>(kTab.size())};
  if (steers_terminal(step.code_point)) return {std::string(kReplacement)};
  return {bytes.substr(at, static_cast<size_t>(step.length)), columns(step.code_point)};
}

}  // namespace

std::vector<TokenPiece> canvas_pieces(const Tokenizer& tokenizer, std::span<const TokenId> tokens,
                                      Range shown, TokenId mask_id,
                                      const std::vector<bool>& fresh) {
  std::vector<TokenPiece> pieces;
  for (int p = shown.begin; p < shown.end; ++p) {
    const auto i = static_cast<size_t>(p);
    if (tokens[i] == mask_id) {
      pieces.push_back({std::string(kMaskSign), p, CellStyle::mask});
      continue;
    }
    const bool special = tokenizer.is_special(tokens[i]);
    const CellStyle settled = special ? CellStyle::dim : CellStyle::plain;
    pieces.push_back({special ? std::string(kSpecialSign) : tokenizer.token_bytes(tokens[i]), p,
                      fresh[i] ? CellStyle::fresh : settled});
  }
  return pieces;
}

std::vector<Cell> to_cells(std::span<const TokenPiece> pieces) {
  // Characters may be spread over tokens, so the text is put together first.
  std::string bytes;
  std::vector<const TokenPiece*> owner;
  for (const TokenPiece& piece : pieces) {
    bytes += piece.bytes;
    owner.resize(bytes.size(), &piece);
  }
  std::vector<Cell> cells;
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Step step = utf8_step(bytes, at);
    Cell cell = cell_of(bytes, at, step);
    if (cell.width == 0 && cell.text != "\n" && !cells.empty()) {
      cells.back().text += cell.text;
    } else {
      cell.position = owner[at]->position;
      cell.style = owner[at]->style;
      cells.push_back(std::move(cell));
    }
    at += static_cast<size_t>(step.length);
  }
  return cells;
}

std::vector<CellLine> wrap_cells(std::span<const Cell> cells, int width) {
  std::vector<CellLine> lines(1);
  int used = 0;
  for (const Cell& cell : cells) {
    if (cell.text == "\n") {
      lines.emplace_back();
      used = 0;
      continue;
    }
    if (used + cell.width > width && cell.text == " ") {
      lines.emplace_back();  // the break stands for the blank
      used = 0;
      continue;
    }
    while (used + cell.width > width && !lines.back().empty()) {
      lines.push_back(take_tail(lines.back(), cell));
      used = line_width(lines.back());
    }
    lines.back().push_back(cell);
    used += cell.width;
  }
  return lines;
}

Range visible_lines(const std::vector<CellLine>& lines, Range block, int height) {
  const int count = static_cast<int>(lines.size());
  if (count <= height) return {0, count};
  int first_mask = count;
  int last = 0;
  for (int l = 0; l < count; ++l) {
    for (const Cell& cell : lines[static_cast<size_t>(l)]) {
      if (!block.contains(cell.position)) continue;
      last = l;
      if (cell.style == CellStyle::mask) first_mask = std::min(first_mask, l);
    }
  }
  const int begin = std::min(std::max(0, last + 1 - height), first_mask);
  return {begin, begin + height};
}

std::string paint(std::span<const Cell> cells) {
  std::string out;
  CellStyle current = CellStyle::plain;
  const auto change_to = [&](CellStyle style) {
    if (style == current) return;
    if (current != CellStyle::plain) out += "\x1b[0m";
    out += escape_code(style);
    current = style;
  };
  for (const Cell& cell : cells) {
    change_to(cell.style);
    out += cell.text;
  }
  change_to(CellStyle::plain);
  return out;
}

int line_width(const CellLine& line) {
  return std::accumulate(line.begin(), line.end(), 0,
                         [](int sum, const Cell& cell) { return sum + cell.width; });
}

std::string terminal_safe(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    const auto length = static_cast<size_t>(step.length);
    const bool harmless =
        step.status == Utf8Status::valid &&
        (!steers_terminal(step.code_point) || step.code_point == '\n' || step.code_point == '\t');
    out += harmless ? text.substr(at, length) : kReplacement;
    at += length;
  }
  return out;
}

}  // namespace unmask
