#include "apps/draw/svg_plot.h"

#include <cmath>
#include <gtest/gtest.h>
#include <regex>

namespace unmask {
namespace {

struct Mark {
  double x, y;
};

/// Of the texts in the middle of their points that are numbers below 100, marks of axes left out.
std::vector<Mark> marks_of(const std::string& svg, const std::vector<PlotPoint>& points) {
  std::vector<Mark> marks;
  for (const PlotPoint& p : points) {
    const std::regex text("<text x=\"([0-9.]+)\" y=\"([0-9.]+)\" text-anchor=\"middle\">" + p.mark +
                          "</text>");
    std::smatch found;
    EXPECT_TRUE(std::regex_search(svg, found, text)) << p.mark;
    if (found.size() == 3) marks.push_back({std::stod(found[1]), std::stod(found[2])});
  }
  return marks;
}

TEST(ScatterPlot, MarksDoNotOverlapWherePointsDo) {
  std::vector<PlotPoint> points;
  for (int i = 0; i < 12; ++i) {
    points.push_back({.x = 100 + 0.1 * (i % 3), .y = 1, .mark = fmt::format("m{}", i + 1)});
  }
  const std::vector<Mark> marks = marks_of(scatter_plot({"t", "x", "y"}, points), points);
  ASSERT_EQ(marks.size(), points.size());
  for (size_t i = 0; i < marks.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const bool apart =
          std::abs(marks[i].x - marks[j].x) >= 14 || std::abs(marks[i].y - marks[j].y) >= 12;
      EXPECT_TRUE(apart) << points[i].mark << " and " << points[j].mark;
    }
  }
}

}  // namespace
}  // namespace unmask
