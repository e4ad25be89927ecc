#include "apps/reports/bench_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/terminal/units.h"

namespace unmask {

namespace {

using nlohmann::ordered_json;

std::string rate(double per_second, const char* unit) {
  return per_second > 0 ? fmt::format("{:.0f} G{}/s", per_second * 1e-9, unit) : "none";
}

/// "products 91 %, attention 5 %": the parts of a step that show.
std::string parts(const StepKind& kind) {
  constexpr double kShown = 0.005;
  std::string text;
  double rest = kind.times.total();
  for (int i = 0; i < kOperations; ++i) {
    const double share = kind.times.seconds[static_cast<size_t>(i)] / rest;
    if (share < kShown) continue;
    text += fmt::format("{}{} {:.0f} %", text.empty() ? "" : ", ",
                        operation_name(static_cast<Operation>(i)), share * 100);
  }
  return text;
}

std::string kind_line(const StepKind& kind) {
  return fmt::format(
      "{:>12} x {:<5} {:>9.4f} s ({:.4f}-{:.4f}), {:.2f} of the limit: {}\n",
      fmt::format("{} rows{}", format_count(kind.rows), kind.measures ? ", measuring" : ""),
      kind.planned, kind.seconds.median, kind.seconds.least, kind.seconds.most,
      kind.limit / kind.seconds.median, parts(kind));
}

ordered_json kind_json(const StepKind& kind) {
  ordered_json times;
  for (int i = 0; i < kOperations; ++i) {
    times[std::string(operation_name(static_cast<Operation>(i)))] =
        kind.times.seconds[static_cast<size_t>(i)];
  }
  return {{"rows", kind.rows},
          {"measures", kind.measures},
          {"sparse", kind.sparse},
          {"steps", kind.planned},
          {"median_seconds", kind.seconds.median},
          {"least_seconds", kind.seconds.least},
          {"most_seconds", kind.seconds.most},
          {"limit_seconds", kind.limit},
          {"of_limit", kind.limit / kind.seconds.median},
          {"seconds_by_operation", times}};
}

}  // namespace

std::string ceilings_text(const Ceilings& c) {
  return fmt::format("limits    {} thread{}: float32 {}, bf16 {}, int8 {}, int4 {}, reading {}\n",
                     c.threads, c.threads == 1 ? "" : "s", rate(c.f32, "FLOP"),
                     rate(c.bf16, "FLOP"), rate(c.int8, "OP"), rate(c.int4, "OP"),
                     rate(c.read, "B"));
}

double speed_over_full(const BenchRun& run, const GenerationFigures& figures) {
  const auto full = std::find_if(
      run.generations.begin(), run.generations.end(), [&](const GenerationFigures& other) {
        return other.about.method == "full" && other.about.context == figures.about.context;
      });
  return full == run.generations.end() ? 0 : full->seconds / figures.seconds;
}

std::string bench_text(const BenchRun& run) {
  std::string text = fmt::format("\nmodel     {}, {} weights, {}; {}\n", run.shape, run.weights,
                                 format_bytes(static_cast<int64_t>(run.weight_bytes)), run.backend);
  for (const GenerationFigures& g : run.generations) {
    const double over_full = speed_over_full(run, g);
    text += fmt::format(
        "\n{} tokens, {}: {:.3g} s{}, {:.3g} tok/s{}, {:.2f} of the limit, {}\n",
        format_count(g.about.context), g.about.method, g.seconds,
        g.projected
            ? fmt::format(" (from the first {} of {} steps)", g.about.most_steps, g.about.steps)
            : "",
        g.tokens_per_second(), over_full > 0 ? fmt::format(", {:.2f}x full", over_full) : "",
        g.limit / g.seconds, format_bytes(static_cast<int64_t>(g.peak_bytes)));
    for (const StepKind& kind : g.kinds) text += kind_line(kind);
  }
  return text;
}

ordered_json bench_json(const Ceilings& c, const std::vector<BenchRun>& runs) {
  ordered_json models = ordered_json::array();
  for (const BenchRun& run : runs) {
    ordered_json generations = ordered_json::array();
    for (const GenerationFigures& g : run.generations) {
      ordered_json kinds = ordered_json::array();
      for (const StepKind& kind : g.kinds) kinds.push_back(kind_json(kind));
      generations.push_back({{"method", g.about.method},
                             {"context", g.about.context},
                             {"gen_length", g.about.gen_length},
                             {"block_length", g.about.block_length},
                             {"steps", g.about.steps},
                             {"seconds", g.seconds},
                             {"projected", g.projected},
                             {"tokens_per_second", g.tokens_per_second()},
                             {"over_full", speed_over_full(run, g)},
                             {"limit_seconds", g.limit},
                             {"of_limit", g.limit / g.seconds},
                             {"operations", g.operations},
                             {"peak_memory_bytes", g.peak_bytes},
                             {"kinds_of_steps", kinds}});
    }
    models.push_back({{"shape", run.shape},
                      {"dtype", run.weights},
                      {"backend", run.backend},
                      {"weight_bytes", run.weight_bytes},
                      {"generations", generations}});
  }
  return {{"ceilings",
           {{"threads", c.threads},
            {"f32_operations_per_second", c.f32},
            {"bf16_operations_per_second", c.bf16},
            {"int8_operations_per_second", c.int8},
            {"int4_operations_per_second", c.int4},
            {"read_bytes_per_second", c.read}}},
          {"models", models}};
}

std::string target_header() { return "figure  (least-most)    target\n"; }

std::string target_line(const Target& t) {
  return fmt::format("{:6.2f}  ({:.2f}-{:.2f})  {} {:<6.2f} {:<7} {} (next to {})\n",
                     t.figure.median, t.figure.least, t.figure.most,
                     t.at_most ? "<=" : ">=", t.wanted,
                     t.met()      ? "met"
                     : t.missed() ? "MISSED"
                                  : "near",
                     t.what, t.next_to);
}

ordered_json targets_json(const std::vector<Target>& targets) {
  ordered_json rows = ordered_json::array();
  for (const Target& t : targets) {
    rows.push_back({{"what", t.what},
                    {"figure", t.figure.median},
                    {"least", t.figure.least},
                    {"most", t.figure.most},
                    {t.at_most ? "at_most" : "at_least", t.wanted},
                    {"met", t.met()},
                    {"missed", t.missed()},
                    {"next_to", t.next_to}});
  }
  return rows;
}

std::string targets_summary(const std::vector<Target>& targets) {
  const auto met = std::ranges::count_if(targets, &Target::met);
  const auto missed = std::ranges::count_if(targets, &Target::missed);
  return fmt::format(
      "{} targets: {} met, {} near (some measurements meet them), {} missed by more than their "
      "spread\n",
      targets.size(), met, static_cast<ptrdiff_t>(targets.size()) - met - missed, missed);
}

}  // namespace unmask
