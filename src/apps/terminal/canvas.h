// A canvas of tokens and masks as cells of a terminal, wrapped at words.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "io/text/tokenizer.h"

namespace unmask {

enum class CellStyle : uint8_t {
  plain,
  mask,
  fresh,  // decided a moment ago, or found for a hole
  dim     // special tokens, which have no text to show
};

/// What one token shows: possibly a part of a character.
struct TokenPiece {
  std::string bytes;
  int position = 0;
  CellStyle style = CellStyle::plain;
};

/// One visible character with its combining marks, or a line break of width 0.
struct Cell {
  std::string text;
  int width = 1;     // columns
  int position = 0;  // of the token where the character begins
  CellStyle style = CellStyle::plain;
  bool operator==(const Cell&) const = default;
};

using CellLine = std::vector<Cell>;

/// Pieces of `tokens` in `shown`. `fresh` has one flag for each token of the canvas.
std::vector<TokenPiece> canvas_pieces(const Tokenizer& tokenizer, std::span<const TokenId> tokens,
                                      Range shown, TokenId mask_id, const std::vector<bool>& fresh);

/// What would steer the terminal becomes visible (steers_terminal()).
std::vector<Cell> to_cells(std::span<const TokenPiece> pieces);

/// Lines of at most `width` columns, broken at blanks and beside masks where possible.
std::vector<CellLine> wrap_cells(std::span<const Cell> cells, int width);

/// The lines to show where `height` are too few for all: as many as possible up to the end of
/// `block`, yet never without the first mask of the block.
Range visible_lines(const std::vector<CellLine>& lines, Range block, int height);

/// The cells with the escape codes of their styles.
std::string paint(std::span<const Cell> cells);

int line_width(const CellLine& line);

/// `text` with what would steer the terminal, except line breaks and tabs, made visible.
std::string terminal_safe(std::string_view text);

}  // namespace unmask
