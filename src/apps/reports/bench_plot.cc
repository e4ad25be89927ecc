// The picture of `unmask bench`.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "apps/reports/bench_view.h"
#include "apps/terminal/units.h"

namespace unmask {

namespace {

constexpr int kPictureWidth = 980;
constexpr int kHeight = 420;
constexpr int kLegendRow = 18;
constexpr Colour kInk{0.13F, 0.13F, 0.16F};
constexpr Colour kGrid{0.87F, 0.87F, 0.89F};

/// One line of the plot: a method with one type of weights.
struct Series {
  std::string name;
  std::vector<const GenerationFigures*> points;  // by context
};

std::vector<Series> series_of(const std::vector<BenchRun>& runs) {
  std::vector<Series> all;
  for (const BenchRun& run : runs) {
    for (const GenerationFigures& g : run.generations) {
      const std::string name = fmt::format("{}, {}", g.about.method, run.weights);
      auto found = std::find_if(all.begin(), all.end(),
                                [&](const Series& series) { return series.name == name; });
      if (found == all.end()) found = all.insert(all.end(), {name, {}});
      found->points.push_back(&g);
    }
  }
  for (Series& series : all) {
    std::sort(series.points.begin(), series.points.end(),
              [](const auto* a, const auto* b) { return a->about.context < b->about.context; });
  }
  return all;
}

/// Both axes run by powers: contexts and times span orders of magnitude.
struct Axis {
  double least;
  double most;
  double at(double value) const {
    return most > least ? std::log(value / least) / std::log(most / least) : 0.5;
  }
};

class Chart {
 public:
  Chart(Picture& picture, const Box& box, const std::vector<Series>& series,
        double (*value)(const GenerationFigures&))
      : picture_(picture), box_(box), series_(series), value_(value) {
    x_ = span([](const GenerationFigures& g) { return static_cast<double>(g.about.context); });
    y_ = span(value);
    y_ = {y_.least / 1.2, y_.most * 1.2};  // room above and below
  }

  void draw(const std::string& title, std::string (*label)(double)) {
    picture_.text({box_.x, box_.y - 14}, title, {.size = 13, .colour = kInk, .bold = true});
    constexpr int kLines = 4;
    for (int i = 0; i <= kLines; ++i) {
      const double value = y_.least * std::pow(y_.most / y_.least, i / double{kLines});
      const double y = box_.y + box_.height * (1 - y_.at(value));
      picture_.line({box_.x, y}, {box_.x + box_.width, y}, {.colour = kGrid});
      picture_.text({box_.x - 6, y + 4}, label(value),
                    {.size = 11, .colour = kInk, .align = Align::right});
    }
    for (const double context : contexts()) {
      picture_.text({box_.x + box_.width * x_.at(context), box_.y + box_.height + 18},
                    format_count(static_cast<int64_t>(context)),
                    {.size = 11, .colour = kInk, .align = Align::centre});
    }
    picture_.text({box_.x + box_.width / 2, box_.y + box_.height + 36}, "context, tokens",
                  {.size = 11, .colour = kInk, .align = Align::centre});
    for (size_t i = 0; i < series_.size(); ++i) draw_series(series_[i], series_colour(i));
  }

  static Colour series_colour(size_t i) {
    // Okabe and Ito's colours, which people who see few colours can tell apart.
    static constexpr std::array<Colour, 7> kColours{{{0.00F, 0.45F, 0.70F},
                                                     {0.84F, 0.37F, 0.00F},
                                                     {0.00F, 0.62F, 0.45F},
                                                     {0.80F, 0.47F, 0.65F},
                                                     {0.90F, 0.62F, 0.00F},
                                                     {0.34F, 0.71F, 0.91F},
                                                     {0.30F, 0.30F, 0.30F}}};
    return kColours[i % kColours.size()];
  }

 private:
  template <typename Of>
  Axis span(const Of& of) const {
    Axis axis{INFINITY, 0};
    for (const Series& series : series_) {
      for (const GenerationFigures* g : series.points) {
        axis.least = std::min(axis.least, of(*g));
        axis.most = std::max(axis.most, of(*g));
      }
    }
    return axis;
  }
  std::vector<double> contexts() const {
    std::set<double> seen;
    for (const Series& series : series_) {
      for (const GenerationFigures* g : series.points) seen.insert(g->about.context);
    }
    return {seen.begin(), seen.end()};
  }
  void draw_series(const Series& series, const Colour& colour) {
    Point last{};
    for (size_t i = 0; i < series.points.size(); ++i) {
      const GenerationFigures& g = *series.points[i];
      const Point point{box_.x + box_.width * x_.at(g.about.context),
                        box_.y + box_.height * (1 - y_.at(value_(g)))};
      if (i > 0) picture_.line(last, point, {.colour = colour, .width = 2});
      picture_.fill({point.x - 3, point.y - 3, 6, 6}, colour);
      last = point;
    }
  }

  Picture& picture_;
  Box box_;
  const std::vector<Series>& series_;
  double (*value_)(const GenerationFigures&);
  Axis x_{};
  Axis y_{};
};

}  // namespace

std::string bench_plot(const std::vector<BenchRun>& runs, PictureFormat format) {
  const std::vector<Series> series = series_of(runs);
  Picture picture(format, kPictureWidth, kHeight + kLegendRow * static_cast<int>(series.size()));
  Chart(picture, {80, 50, 380, 300}, series, [](const GenerationFigures& g) {
    return g.seconds;
  }).draw("Seconds of a generation", [](double s) { return fmt::format("{:.2g}", s); });
  Chart(picture, {580, 50, 380, 300}, series, [](const GenerationFigures& g) {
    return static_cast<double>(g.peak_bytes);
  }).draw("Memory", [](double b) { return format_bytes(static_cast<int64_t>(b)); });
  for (size_t i = 0; i < series.size(); ++i) {
    const double y = kHeight + kLegendRow * static_cast<double>(i);
    picture.fill({80, y - 9, 18, 10}, Chart::series_colour(i));
    picture.text({106, y}, series[i].name, {.size = 12, .colour = kInk});
  }
  return picture.finish();
}

}  // namespace unmask
