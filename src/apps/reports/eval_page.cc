#include "apps/reports/eval_page.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "apps/draw/html.h"
#include "apps/draw/svg_plot.h"
#include "apps/reports/eval_tables.h"
#include "apps/reports/page.h"
#include "apps/terminal/units.h"

namespace unmask {

namespace {

/// Methods of one name share a colour.
class Palette {
 public:
  int colour(const std::string& method) {
    const std::string family = method.substr(0, method.find_first_of(":+"));
    const auto found = std::find(families_.begin(), families_.end(), family);
    const auto place = static_cast<int>(found - families_.begin());
    if (found == families_.end()) families_.push_back(family);
    return place;
  }

 private:
  std::vector<std::string> families_;
};

std::vector<int> lengths_of(const Summary& summary) {
  std::set<int> lengths;
  for (const CellName& cell : summary.cells) lengths.insert(cell.length);
  return {lengths.begin(), lengths.end()};
}

/// Mean score of a method over the tasks of one length; NaN without any.
double score_at(const Summary& summary, const std::string& method, int length) {
  double sum = 0;
  int count = 0;
  for (const ScoreCell& cell : summary.table) {
    if (cell.method != method || cell.name.length != length || cell.score.count == 0) continue;
    sum += cell.score.value;
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

std::string bars(const Summary& summary) {
  const std::vector<int> lengths = lengths_of(summary);
  std::vector<std::string> series;
  series.reserve(lengths.size());
  for (const int length : lengths) {
    series.push_back(length > 0 ? format_count(length) + " tokens" : "files");
  }
  Palette palette;
  std::vector<BarGroup> groups;
  for (const MethodSummary& m : summary.methods) {
    BarGroup group{m.method, palette.colour(m.method)};
    for (const int length : lengths) group.values.push_back(score_at(summary, m.method, length));
    groups.push_back(std::move(group));
  }
  return bar_plot("Accuracy by method and length, mean over tasks", series, groups);
}

/// One point a scored method, numbered as in the list below the plots.
template <typename X>
std::string scatter(const Summary& summary, const PlotAxes& axes, X x_of) {
  Palette palette;
  std::vector<PlotPoint> points;
  for (size_t i = 0; i < summary.methods.size(); ++i) {
    const MethodSummary& m = summary.methods[i];
    const int colour = palette.colour(m.method);
    const std::optional<double> x = x_of(m);
    if (!m.score || !x) continue;
    points.push_back({*x, *m.score, colour,
                      fmt::format("{}: {:.3f} at {:.3g}", m.method, *m.score, *x),
                      std::to_string(i + 1)});
  }
  return scatter_plot(axes, points);
}

std::string numbered_methods(const Summary& summary) {
  Palette palette;
  std::string out = "<ol>\n";
  for (const MethodSummary& m : summary.methods) {
    out += fmt::format("<li><span style=\"color:{}\">&#9679;</span> {}</li>\n",
                       plot_colour(palette.colour(m.method)), html_text(m.method));
  }
  return out + "</ol>\n";
}

std::string plots(const Summary& summary) {
  const bool scored = std::any_of(summary.methods.begin(), summary.methods.end(),
                                  [](const MethodSummary& m) { return m.score.has_value(); });
  if (!scored) return "";
  std::string out = figure(bars(summary));
  out += figure(scatter(summary, {"Accuracy against speed", "answer tokens a second", "accuracy"},
                        [](const MethodSummary& m) { return std::optional(m.tokens_per_second); }));
  out += figure(scatter(
      summary,
      {"Accuracy against density", "keys that a query sees, share of the canvas", "accuracy"},
      [](const MethodSummary& m) {
        return m.cost ? std::optional(m.cost->density) : std::nullopt;
      }));
  return section("Plots", out + numbered_methods(summary));
}

std::string head_maps(const Summary& summary, int heads) {
  std::string out;
  for (const MethodSummary& m : summary.methods) {
    if (!m.fidelity || m.fidelity->mass_of_heads.empty()) continue;
    out += figure(shade_plot(m.method, heads, m.fidelity->mass_of_heads));
  }
  return out;
}

std::string fidelity(const Summary& summary, int heads) {
  const auto table = fidelity_table(summary);
  if (!table) return "";
  return section(
      "Fidelity to full attention",
      "<p>Equal tokens: positions with the token of full attention's own generation. Equal "
      "choices: decided tokens that full attention would have chosen on the same canvas. Output "
      "error: relative, of attention without the keys that are left out. Retained mass: share of "
      "full attention that lies on the keys that are seen; the maps show it for each layer and "
      "head, in percent.</p>\n" +
          to_html(*table) + head_maps(summary, heads));
}

}  // namespace

std::string eval_page(const EvalFacts& facts, const Summary& summary, int heads) {
  std::string about = "<dl>\n";
  for (const auto& [name, value] : facts) {
    about += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_text(name), html_text(value));
  }
  about += "</dl>\n";
  const std::string overview =
      "<p>Score: mean over tasks and lengths, 0 to 1. Difference: points of a hundred from the "
      "first method on the same examples, with its standard error. Density: keys that a query "
      "sees, as a share of the canvas, mean over the steps, and memory (weights, activations, "
      "caches): as "
      "planned. Speed: as measured in this run, answer tokens before the end token.</p>\n" +
      to_html(overview_table(summary));
  return report_page("unmask eval",
                     about + plots(summary) + section("Methods", overview) +
                         section("Scores by task and length", to_html(score_table(summary))) +
                         fidelity(summary, heads));
}

}  // namespace unmask
