// A drawing of boxes, lines, texts and tables of colours, as PNG or SVG.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "apps/terminal/colour.h"

namespace unmask {

enum class PictureFormat : uint8_t { png, svg };

/// In pixels, from the upper left corner.
struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

enum class Align : uint8_t { left, centre, right };

struct TextStyle {
  double size = 12;
  Colour colour{};
  Align align = Align::left;  // of the text to its point, which lies on the base line
  bool bold = false;
  bool upwards = false;  // reads from bottom to top
};

struct LineStyle {
  Colour colour{};
  double width = 1;
  double dash = 0;  // length of dashes and gaps; 0: solid
};

class Picture {
 public:
  /// Pixels, on white.
  Picture(PictureFormat format, int width, int height);
  ~Picture();
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;

  void fill(const Box& box, const Colour& colour);
  void outline(const Box& box, const LineStyle& style);
  void line(Point from, Point to, const LineStyle& style);
  /// Fills a box with rising diagonals.
  void hatch(const Box& box, const Colour& colour);
  void text(Point at, std::string_view text, const TextStyle& style);
  /// A table of colours, `colour(column, row)`, stretched over a box.
  void table(const Box& box, int columns, int rows,
             const std::function<Colour(int column, int row)>& colour);
  /// The file's bytes; nothing can be drawn afterwards. Throws Error when out of memory.
  std::string finish();

 private:
  struct Canvas;
  std::unique_ptr<Canvas> canvas_;
};

}  // namespace unmask
