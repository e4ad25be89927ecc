// Plots as inline SVG of a page, drawn in the page's own colours.
#pragma once

#include <string>
#include <vector>

namespace unmask {

struct PlotPoint {
  double x = 0;
  double y = 0;
  int colour = 0;
  std::string name{};  // shown when pointed at
  std::string mark{};  // written beside the point
};

struct PlotAxes {
  std::string title{};
  std::string x{};
  std::string y{};
};

/// Points in a box; x from 0 to the largest, y from 0 to 1.
std::string scatter_plot(const PlotAxes& axes, const std::vector<PlotPoint>& points);

struct BarGroup {
  std::string name{};
  int colour = 0;
  std::vector<double> values{};  // one a series, 0 to 1; NaN: none
};

/// Horizontal bars, a group for each name; the series are told apart by their strength.
std::string bar_plot(const std::string& title, const std::vector<std::string>& series,
                     const std::vector<BarGroup>& groups);

/// A table of shares, 0 to 1, as shades.
std::string shade_plot(const std::string& title, int columns, const std::vector<double>& values);

/// Colours of the numbers of PlotPoint and BarGroup, as CSS.
std::string plot_colour(int number);

}  // namespace unmask
