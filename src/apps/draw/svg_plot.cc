#include "apps/draw/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "apps/draw/html.h"

namespace unmask {

namespace {

// Paul Tol's muted scheme and two of his bright one: told apart by most colour-blind readers.
constexpr std::array<const char*, 12> kColours{"#332288", "#117733", "#cc6677", "#88ccee",
                                               "#ddaa33", "#aa4499", "#44aa99", "#882255",
                                               "#999933", "#4477aa", "#ee6677", "#777777"};

constexpr double kLeft = 56, kTop = 30, kBottom = 44, kRight = 16;
constexpr double kWidth = 520, kHeight = 340;

std::string open_svg(double width, double height, const std::string& title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\">"
      "<title>{2}</title>\n<text x=\"0\" y=\"14\" class=\"title\">{2}</text>\n",
      width, height, html_text(title));
}

std::string text(double x, double y, const char* anchor, const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     html_text(content));
}

std::string line(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x1, y1,
                     x2, y2);
}

std::string rectangle(double x, double y, double width, double height, const char* colour,
                      double opacity, const std::string& name) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
      "fill-opacity=\"{:.2f}\"><title>{}</title></rect>\n",
      x, y, width, height, colour, opacity, html_text(name));
}

/// A round distance between marks of an axis that ends at `largest`.
double tick_distance(double largest) {
  const double magnitude = std::pow(10, std::floor(std::log10(largest)));
  for (const double step : {0.1, 0.2, 0.5, 1.0}) {
    if (largest / (step * magnitude) <= 6) return step * magnitude;
  }
  return 2 * magnitude;
}

/// The box, its marks and what is written beside it.
std::string frame(const PlotAxes& axes, double largest_x) {
  const double bottom = kHeight - kBottom;
  const double right = kWidth - kRight;
  std::string out = open_svg(kWidth, kHeight, axes.title);
  for (int i = 0; i <= 5; ++i) {
    const double y = bottom - (bottom - kTop) * i / 5;
    out += line(kLeft, y, right, y) + text(kLeft - 6, y + 4, "end", fmt::format("{:.1f}", i / 5.0));
  }
  const double distance = tick_distance(largest_x);
  for (int i = 0; i * distance <= largest_x * 1.0001; ++i) {
    const double x = kLeft + (right - kLeft) * i * distance / largest_x;
    out += line(x, kTop, x, bottom) +
           text(x, bottom + 16, "middle", fmt::format("{:.4g}", i * distance));
  }
  out += text((kLeft + right) / 2, kHeight - 8, "middle", axes.x);
  out += fmt::format(
      "<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      (kTop + bottom) / 2, html_text(axes.y));
  return out;
}

// Of the page's text, for what must not overlap: a little more than it takes.
constexpr double kCharacter = 8, kLine = 13, kDot = 5;

struct Place {
  double x = 0, y = 0;  // the middle
  double width = 0, height = 0;

  bool overlaps(const Place& other) const {
    return std::abs(x - other.x) * 2 < width + other.width &&
           std::abs(y - other.y) * 2 < height + other.height;
  }
};

/// Around `dot`, the nearest place for a mark of `width` that is in the box and overlaps nothing.
Place free_place(const Place& dot, double width, const std::vector<Place>& taken) {
  Place place{dot.x, dot.y, width, kLine};
  const auto fits = [&] {
    return place.x - width / 2 > kLeft && place.x + width / 2 < kWidth - kRight &&
           place.y - kLine / 2 > kTop && place.y + kLine / 2 < kHeight - kBottom &&
           std::none_of(taken.begin(), taken.end(),
                        [&](const Place& other) { return place.overlaps(other); });
  };
  constexpr int kDirections = 16;
  for (double distance = kDot + kLine; distance < kWidth; distance += 6) {
    for (int i = 0; i < kDirections; ++i) {  // from the upper right on
      const double angle = (i - kDirections / 8.0) * 2 * std::numbers::pi / kDirections;
      place.x = dot.x + distance * std::cos(angle);
      place.y = dot.y + distance * std::sin(angle);
      if (fits()) return place;
    }
  }
  return place;
}

/// The marks beside their dots, with a line to those that stand far from theirs.
std::string marks(const std::vector<PlotPoint>& points, const std::vector<Place>& dots) {
  std::vector<Place> taken = dots;
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    const Place& dot = dots[i];
    const Place place =
        free_place(dot, kCharacter * static_cast<double>(points[i].mark.size()), taken);
    taken.push_back(place);
    const double distance = std::hypot(place.x - dot.x, place.y - dot.y);
    if (distance > 2 * kLine) {
      const double part = 1 - kLine / 2 / distance;
      out += line(dot.x, dot.y, dot.x + part * (place.x - dot.x), dot.y + part * (place.y - dot.y));
    }
    out += text(place.x, place.y + 4, "middle", points[i].mark);
  }
  return out;
}

}  // namespace

std::string plot_colour(int number) {
  return kColours[static_cast<size_t>(number) % kColours.size()];
}

std::string scatter_plot(const PlotAxes& axes, const std::vector<PlotPoint>& points) {
  double largest = 0;
  for (const PlotPoint& p : points) largest = std::max(largest, p.x);
  if (!(largest > 0)) largest = 1;
  largest *= 1.05;
  std::string out = frame(axes, largest);
  std::vector<Place> dots;
  for (const PlotPoint& p : points) {
    const double x = kLeft + (kWidth - kRight - kLeft) * p.x / largest;
    const double y = kHeight - kBottom - (kHeight - kBottom - kTop) * p.y;
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"><title>{}</title></circle>\n", x,
        y, plot_colour(p.colour), html_text(p.name));
    dots.push_back({x, y, 2 * kDot, 2 * kDot});
  }
  out += marks(points, dots);
  return out + "</svg>\n";
}

std::string bar_plot(const std::string& title, const std::vector<std::string>& series,
                     const std::vector<BarGroup>& groups) {
  constexpr double kBar = 11, kGap = 9, kNames = 330, kBars = 420, kValues = 46;
  const auto n = static_cast<double>(series.size());
  const double group_height = n * kBar + kGap;
  const double height = kTop + 20 + static_cast<double>(groups.size()) * group_height;
  std::string out = open_svg(kNames + kBars + kValues, height, title);
  const auto strength = [&](size_t s) { return 1 - 0.65 * static_cast<double>(s) / n; };
  for (size_t s = 0; s < series.size(); ++s) {
    const double x = kNames + 110 * static_cast<double>(s);
    out += rectangle(x, kTop - 6, 10, 10, "currentColor", strength(s), series[s]);
    out += text(x + 15, kTop + 3, "start", series[s]);
  }
  double top = kTop + 14;
  for (const BarGroup& group : groups) {
    out += text(kNames - 8, top + n * kBar / 2 + 4, "end", group.name);
    for (size_t s = 0; s < series.size(); ++s) {
      const double value = group.values[s];
      if (std::isnan(value)) continue;
      const double y = top + static_cast<double>(s) * kBar;
      const std::string label = fmt::format("{:.3f}", value);
      out += rectangle(kNames, y, std::max(1.0, kBars * value), kBar - 1,
                       plot_colour(group.colour).c_str(), strength(s),
                       group.name + ", " + series[s] + ": " + label);
      out += text(kNames + kBars * value + 5, y + 9, "start", label);
    }
    top += group_height;
  }
  return out + "</svg>\n";
}

std::string shade_plot(const std::string& title, int columns, const std::vector<double>& values) {
  constexpr double kCell = 26, kLabels = 60;
  const int rows = static_cast<int>(values.size()) / columns;
  std::string out = open_svg(kLabels + kCell * columns + 10, kTop + kCell * rows + 10, title);
  auto next = values.begin();
  for (int r = 0; r < rows; ++r) {
    const double y = kTop + kCell * r;
    out += text(kLabels - 6, y + 17, "end", fmt::format("layer {}", r));
    for (int c = 0; c < columns; ++c) {
      const double value = *next++;
      const std::string name = fmt::format("layer {}, head {}: {:.3f}", r, c, value);
      out += rectangle(kLabels + kCell * c, y, kCell - 1, kCell - 1, "#117733", value, name);
      out += text(kLabels + kCell * c + kCell / 2, y + 17, "middle",
                  fmt::format("{:.0f}", 100 * value));
    }
  }
  return out + "</svg>\n";
}

}  // namespace unmask
