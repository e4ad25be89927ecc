#include "apps/reports/tuning_view.h"

#include <fmt/format.h>

#include "apps/draw/html.h"
#include "apps/draw/svg_plot.h"
#include "apps/reports/page.h"
#include "apps/terminal/units.h"

namespace unmask {

namespace {

constexpr int kOther = 0, kFront = 1, kBest = 2;  // colours of points

bool is_best(const Tuning& tuning, const TunedProfile& p) {
  return &p == &tuning.profiles[tuning.best];
}

std::string place(const Tuning& tuning, const TunedProfile& p) {
  if (is_best(tuning, p)) return "best";
  if (p.given_up) return "given up";
  return p.on_front ? "front" : "";
}

std::string plot(const Tuning& tuning) {
  std::vector<PlotPoint> points;
  for (size_t i = 0; i < tuning.profiles.size(); ++i) {
    const TunedProfile& p = tuning.profiles[i];
    const int colour = is_best(tuning, p) ? kBest : p.on_front ? kFront : kOther;
    points.push_back(
        {p.seconds, p.quality.value, colour,
         fmt::format("{}: {:.3f}, {:.3f} s", profile_name(p.profile), p.quality.value, p.seconds),
         std::to_string(i + 1)});
  }
  return scatter_plot({"Quality against time", "seconds an answer", "quality"}, points);
}

std::string numbered_profiles(const Tuning& tuning) {
  std::string out = "<ol>\n";
  for (const TunedProfile& p : tuning.profiles) {
    out += fmt::format("<li>{}</li>\n", html_text(profile_name(p.profile)));
  }
  return out + "</ol>\n";
}

}  // namespace

TextTable tuning_table(const Tuning& tuning) {
  TextTable table{{"settings", "examples", "quality", "loss", "s/answer", "first text", "speed-up",
                   "rows", ""}};
  for (const TunedProfile& p : tuning.profiles) {
    table.rows.push_back({profile_name(p.profile), format_count(p.quality.count),
                          fmt::format("{:.3f}", p.quality.value),
                          fmt::format("{:+.1f} +- {:.1f}", p.loss.value, p.loss.standard_error),
                          fmt::format("{:.3f}", p.seconds), fmt::format("{:.3f}", p.first_text),
                          fmt::format("{:.2f}", p.speed_up),
                          format_count(static_cast<int64_t>(p.rows)), place(tuning, p)});
  }
  return table;
}

std::string tuning_verdict(const Tuning& tuning) {
  const TunedProfile& p = tuning.profiles[tuning.best];
  return fmt::format(
      "{}: {:.2f} times as fast as {}, {:.1f} +- {:.1f} points below it, {} example{}",
      profile_name(p.profile), p.speed_up, profile_name(tuning.profiles[0].profile), p.loss.value,
      p.loss.standard_error, format_count(tuning.examples), tuning.examples == 1 ? "" : "s");
}

std::string tuning_page(const Tuning& tuning, const std::string& model) {
  const std::string about =
      fmt::format("<p>{} on {}</p>\n", html_text(tuning_verdict(tuning)), html_text(model));
  return report_page("unmask tune",
                     about + section("Front", figure(plot(tuning)) + numbered_profiles(tuning)) +
                         section("Settings",
                                 "<p>Loss: points of a hundred below the first row on the same "
                                 "examples, with its standard error.</p>\n" +
                                     to_html(tuning_table(tuning))));
}

}  // namespace unmask
