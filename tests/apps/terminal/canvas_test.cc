#include "apps/terminal/canvas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;
using enum CellStyle;

std::vector<Cell> cells_of(const std::string& text) {
  const TokenPiece piece{text};
  return to_cells({&piece, 1});
}

std::string text_of(std::span<const Cell> cells) {
  std::string out;
  for (const Cell& cell : cells) out += cell.text;
  return out;
}

std::vector<std::string> wrapped(std::span<const Cell> cells, int width) {
  std::vector<std::string> lines;
  for (const CellLine& line : wrap_cells(cells, width)) lines.push_back(text_of(line));
  return lines;
}

std::vector<std::string> wrapped(const std::string& text, int width) {
  return wrapped(cells_of(text), width);
}

/// `count` masks at the positions from `first` on.
std::vector<Cell> masks(int count, int first = 0) {
  std::vector<Cell> cells(static_cast<size_t>(count), {"#", 1, first, mask});
  for (Cell& cell : cells) cell.position = first++;
  return cells;
}

TEST(Cells, CharactersMaySpreadOverTokens) {
  const std::vector<TokenPiece> pieces{
      {"a\xE6", 0, plain}, {"\x97\xA5", 1, fresh}, {"b", 2, fresh}};
  EXPECT_THAT(to_cells(pieces), ElementsAre(Cell{"a", 1, 0, plain}, Cell{"\u65e5", 2, 0, plain},
                                            Cell{"b", 1, 2, fresh}));
}

TEST(Cells, BrokenCharactersAndControlsAreVisible) {
  EXPECT_EQ(text_of(cells_of("\xE6x")), "\ufffdx");
  EXPECT_EQ(text_of(cells_of("\x1b[2Jx\r")), "\ufffd[2Jx\ufffd");
  EXPECT_EQ(text_of(cells_of("\xC2\x9B")), "\ufffd") << "the one-character form of ESC [";
  EXPECT_EQ(terminal_safe("a\x1b[0m\n\tb\x7f"), "a\ufffd[0m\n\tb\ufffd");
}

TEST(Cells, MarksThatTurnTheOrderRoundAreVisible) {
  for (const std::string mark : {"\u202a", "\u202e", "\u2066", "\u2069"}) {
    EXPECT_EQ(text_of(cells_of("a" + mark + "b")), "a\ufffdb");
    EXPECT_EQ(terminal_safe("a" + mark + "b"), "a\ufffdb");
  }
  EXPECT_EQ(terminal_safe("\u05d0\u200f\u2029"), "\u05d0\u200f\u2029") << "marks of one character";
}

TEST(Cells, CombiningMarksJoinTheirCharacter) {
  EXPECT_THAT(cells_of("e\u0301x"), ElementsAre(Cell{"e\u0301", 1}, Cell{"x", 1}));
}

TEST(Wrap, BreaksAtBlanks) {
  EXPECT_THAT(wrapped("one two three", 8), ElementsAre("one two ", "three"));
  EXPECT_THAT(wrapped("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("one two three", 100), ElementsAre("one two three"));
  EXPECT_THAT(wrapped("", 10), ElementsAre(""));
}

TEST(Wrap, KeepsLineBreaks) { EXPECT_THAT(wrapped("a\n\nb\n", 10), ElementsAre("a", "", "b", "")); }

TEST(Wrap, BreaksWordsThatAreTooLong) {
  EXPECT_THAT(wrapped("abcdefgh", 3), ElementsAre("abc", "def", "gh"));
  EXPECT_THAT(wrapped("x abcdef", 3), ElementsAre("x ", "abc", "def"));
}

TEST(Wrap, CountsColumnsNotBytes) {
  EXPECT_THAT(wrapped("\u65e5\u672c\u8a9e", 5), ElementsAre("\u65e5\u672c", "\u8a9e"));
  EXPECT_THAT(wrapped("\u00e9\u00e9\u00e9", 3), ElementsAre("\u00e9\u00e9\u00e9"));
  EXPECT_THAT(wrapped("\u65e5\u672c", 1), ElementsAre("\u65e5", "\u672c"))
      << "wider than the window";
}

TEST(Wrap, MasksBreakAnywhere) {
  std::vector<Cell> cells = cells_of("word");
  for (const Cell& cell : masks(5)) cells.push_back(cell);
  EXPECT_THAT(wrapped(cells, 6), ElementsAre("word##", "###"));
}

TEST(Wrap, NoLineIsTooWide) {
  const std::string text =
      "A \u65e5\u672c\u8a9e text, of-many   kinds\tof words.\n\nAnd more\u0301 text ";
  for (int width = 4; width < 40; ++width) {
    std::vector<int> widths;
    for (const CellLine& line : wrap_cells(cells_of(text), width)) {
      widths.push_back(line_width(line));
    }
    EXPECT_THAT(widths, Each(Le(width)));
  }
}

TEST(VisibleLines, AreAllWhereTheyFit) {
  EXPECT_EQ(visible_lines(wrap_cells(masks(30), 10), {0, 30}, 3), (Range{0, 3}));
}

TEST(VisibleLines, EndWithTheActiveBlock) {
  const auto lines = wrap_cells(masks(100), 10);
  EXPECT_EQ(visible_lines(lines, {0, 20}, 4), (Range{0, 4}));
  EXPECT_EQ(visible_lines(lines, {40, 60}, 4), (Range{2, 6}));
  EXPECT_EQ(visible_lines(lines, {80, 100}, 4), (Range{6, 10}));
}

TEST(VisibleLines, ShowTheFirstMaskOfABlockThatIsTooLong) {
  std::vector<Cell> cells = masks(100);
  EXPECT_EQ(visible_lines(wrap_cells(cells, 10), {0, 100}, 4), (Range{0, 4}));
  for (int i = 0; i < 25; ++i) cells[static_cast<size_t>(i)].style = plain;
  EXPECT_EQ(visible_lines(wrap_cells(cells, 10), {0, 100}, 4), (Range{2, 6}));
  for (Cell& cell : cells) cell.style = plain;
  EXPECT_EQ(visible_lines(wrap_cells(cells, 10), {0, 100}, 4), (Range{6, 10}));
}

TEST(Paint, ChangesStyleOnlyWhereItChanges) {
  EXPECT_EQ(paint(cells_of("plain")), "plain");
  const std::vector<Cell> cells{{"a", 1, 0, fresh}, {"b", 1, 0, fresh}, {"#", 1, 1, mask}, {"c"}};
  EXPECT_EQ(paint(cells), "\x1b[1;32mab\x1b[0m\x1b[2m#\x1b[0mc");
}

}  // namespace
}  // namespace unmask
