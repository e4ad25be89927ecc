#include "apps/reports/explain_view.h"

#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>

#include "apps/terminal/units.h"
#include "session/sampler_json.h"

namespace unmask {

namespace {

double operations(const WorkCount& w) { return w.product_operations + w.attention_operations; }

/// Times as many operations as `plan` needs.
double ratio(const Explanation& full, const Explanation& plan) {
  const double own = operations(plan.total);
  return own > 0 ? operations(full.total) / own : 1;
}

/// Steps that differ at most in how many masks are left to be decided.
bool alike(const PlannedStep& a, const PlannedStep& b) {
  constexpr double kShown = 0.05;  // of a key; less does not show in the table
  return a.rows == b.rows && std::abs(a.keys_per_query() - b.keys_per_query()) < kShown &&
         (a.work.measurements > 0) == (b.work.measurements > 0);
}

/// What a step decides.
std::string rule(const SamplerOptions& sampler) {
  std::string text(algorithm_name(sampler.algorithm));
  if (sampler.threshold) text += fmt::format(", threshold {}", *sampler.threshold);
  if (sampler.leap) {
    text += fmt::format(", leap {} within {}", sampler.leap->threshold, sampler.leap->radius);
  }
  if (sampler.credit) text += ", credit";
  if (sampler.drafts) text += fmt::format(", {} canvases a pass", *sampler.drafts);
  if (sampler.factor) text += fmt::format(", factor {}", *sampler.factor);
  return text;
}

std::string blocks(const Request& r) {
  const int last = r.gen_length() - (r.blocks() - 1) * r.block_length;
  std::string text = fmt::format("{} of {}", r.blocks(), r.block_length);
  if (last < r.block_length) text += fmt::format(", the last of {}", last);
  if (r.most_length > 0) text += fmt::format(", growing to {} tokens", r.most_length);
  return text;
}

std::string header(const ExplainedRequest& about, const Explanation& plan) {
  const Request& r = about.request;
  const PresetSettings& preset = settings_of(about.preset);
  return fmt::format(
      "preset    {}: {}\n"
      "method    {}; {}\n"
      "canvas    {} tokens, {} of them prompt\n"
      "blocks    {}; {} steps\n"
      "model     {} layers of {}, {} heads of {} ({} of keys), {} weights\n"
      "backend   {}\n",
      preset.name, preset.what, r.method, rule(r.sampler), r.tokens.size(), r.prompt_length,
      blocks(r), plan.steps.size(), about.config.n_layers, about.config.dim, about.config.n_heads,
      about.config.head_dim, about.config.n_kv_heads, about.weights, about.backend);
}

std::string line(std::span<const PlannedStep> group) {
  const PlannedStep& first = group.front();
  const auto mean = [&](const auto& of) {
    double sum = 0;
    for (const PlannedStep& step : group) sum += of(step.work);
    return sum / static_cast<double>(group.size());
  };
  const std::string steps = group.size() == 1
                                ? fmt::format("{}", first.index)
                                : fmt::format("{}-{}", first.index, group.back().index);
  const double bytes = mean([](const WorkCount& w) { return w.weight_bytes + w.kv_bytes; });
  return fmt::format(
      "{:>11} {:>8} {:>10.1f} {:>8.3f} {:>12} {:>12} {:>10}{}\n", steps, format_count(first.rows),
      first.keys_per_query(), first.density(),
      format_operations(mean([](const WorkCount& w) { return w.product_operations; })),
      format_operations(mean([](const WorkCount& w) { return w.attention_operations; })),
      format_bytes(static_cast<int64_t>(bytes)), first.work.measurements > 0 ? "  measures" : "");
}

std::string table(const Explanation& plan) {
  std::string text = fmt::format("\n{:>11} {:>8} {:>10} {:>8} {:>12} {:>12} {:>10}\n", "steps",
                                 "rows", "keys/query", "density", "products", "attention", "read");
  const std::span<const PlannedStep> steps = plan.steps;
  for (size_t begin = 0; begin < steps.size();) {
    size_t end = begin + 1;
    while (end < steps.size() && alike(steps[begin], steps[end])) ++end;
    text += line(steps.subspan(begin, end - begin));
    begin = end;
  }
  return text;
}

/// When evaluating drafts is worth its rows.
std::string drafts(const ExplainedRequest& about) {
  const int most = about.request.sampler.drafts.value_or(1);
  if (most == 1) return {};
  std::string text = fmt::format(
      "drafts    {} canvases a pass; planned as if none were right: each that is saves a pass\n",
      most);
  if (!about.drafts) return text;
  const DraftCost& cost = *about.drafts;
  return text +
         fmt::format(
             "          by this machine's ceilings the passes take {:.1f} times as long: they "
             "pay where one decides the\n"
             "          tokens of more than {:.1f} steps, of at most {}. Up to {:.0f} rows a pass "
             "cost little more than one row\n",
             cost.times, cost.times, most, cost.ridge);
}

std::string totals(const ExplainedRequest& about, const Explanation& plan,
                   const Explanation& full) {
  const WorkCount& t = plan.total;
  std::string text = fmt::format(
      "\ntotal     {} rows; {} in products, {} in attention\n"
      "read      {} of weights, {} of keys and values\n"
      "columns   {} that each of two ranks gets where columns are split\n"
      "rows      {} that each of two ranks gets where rows are split\n"
      "memory    {} at most, for weights, activations and caches\n"
      "against   full: {} rows, {}; that is {:.2f} times the operations\n",
      format_count(plan.rows), format_operations(t.product_operations),
      format_operations(t.attention_operations), format_bytes(static_cast<int64_t>(t.weight_bytes)),
      format_bytes(static_cast<int64_t>(t.kv_bytes)), format_bytes(about.column_bytes),
      format_bytes(about.row_bytes), format_bytes(static_cast<int64_t>(plan.peak_bytes())),
      format_count(full.rows), format_operations(operations(full.total)), ratio(full, plan));
  if (about.request.sampler.dynamic() || about.request.early_stop) {
    text += "At most: sure tokens and an early end save steps that are planned here.\n";
  }
  return text;
}

}  // namespace

std::string explain_text(const ExplainedRequest& about, const Explanation& plan,
                         const Explanation& full) {
  return header(about, plan) + table(plan) + totals(about, plan, full) + drafts(about);
}

nlohmann::ordered_json explain_json(const ExplainedRequest& about, const Explanation& plan,
                                    const Explanation& full) {
  const auto work = [](const WorkCount& w) {
    return nlohmann::ordered_json{{"product_operations", w.product_operations},
                                  {"attention_operations", w.attention_operations},
                                  {"weight_bytes", w.weight_bytes},
                                  {"kv_bytes", w.kv_bytes}};
  };
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const PlannedStep& s : plan.steps) {
    nlohmann::ordered_json step{{"step", s.index},        {"step_in_block", s.in_block},
                                {"rows", s.rows},         {"keys_per_query", s.keys_per_query()},
                                {"density", s.density()}, {"measures", s.work.measurements > 0}};
    step.update(work(s.work));
    steps.push_back(std::move(step));
  }
  nlohmann::ordered_json out{{"preset", preset_name(about.preset)},
                             {"method", about.request.method}};
  out.update(sampler_json(about.request));
  out.update({{"block_length", about.request.block_length},
              {"canvas", about.request.tokens.size()},
              {"dtype", about.weights},
              {"backend", about.backend},
              {"steps", std::move(steps)},
              {"rows", plan.rows},
              {"total", work(plan.total)},
              {"column_bytes_of_two_ranks", about.column_bytes},
              {"row_bytes_of_two_ranks", about.row_bytes},
              {"peak_memory_bytes", plan.peak_bytes()},
              {"full_rows", full.rows},
              {"full_total", work(full.total)},
              {"operations_of_full_over_method", ratio(full, plan)}});
  if (about.drafts) {
    out["drafts_cost"] = {{"times", about.drafts->times}, {"ridge_rows", about.drafts->ridge}};
  }
  return out;
}

}  // namespace unmask
