#include "apps/reports/eval_tables.h"

#include <algorithm>
#include <fmt/format.h>

#include "apps/terminal/units.h"

namespace unmask {

namespace {

constexpr const char* kNothing = "-";

std::string share(const Mean& mean) {
  return mean.count > 0 ? fmt::format("{:.3f}", mean.value) : kNothing;
}

/// Points of a hundred, with the standard error.
std::string points(const Mean& mean) {
  if (mean.count == 0) return kNothing;
  return fmt::format("{:+.1f} +- {:.1f}", 100 * mean.value, 100 * mean.standard_error);
}

}  // namespace

std::string cell_title(const CellName& cell) {
  return cell.length > 0 ? fmt::format("{} {}", cell.task, format_count(cell.length)) : cell.task;
}

TextTable overview_table(const Summary& summary) {
  TextTable table{{"method", "examples", "score", "difference", "tok/s", "speed-up", "rows",
                   "rows/tok", "passes/tok", "density", "memory"}};
  for (const MethodSummary& m : summary.methods) {
    table.rows.push_back(
        {m.method, format_count(m.examples), m.score ? fmt::format("{:.3f}", *m.score) : kNothing,
         points(m.difference), fmt::format("{:.1f}", m.tokens_per_second),
         fmt::format("{:.2f}", m.speed_up), format_count(static_cast<int64_t>(m.rows)),
         fmt::format("{:.1f}", m.rows_per_token), fmt::format("{:.2f}", m.passes_per_token),
         m.cost ? fmt::format("{:.2f}", m.cost->density) : kNothing,
         m.cost ? format_bytes(static_cast<int64_t>(m.cost->peak_bytes)) : kNothing});
  }
  return table;
}

TextTable score_table(const Summary& summary) {
  TextTable table{{"method"}};
  for (const CellName& cell : summary.cells) table.header.push_back(cell_title(cell));
  for (const MethodSummary& m : summary.methods) {
    std::vector<std::string> row{m.method};
    for (const CellName& name : summary.cells) {
      const ScoreCell* cell = summary.find(name, m.method);
      row.push_back(cell != nullptr ? share(cell->score) : kNothing);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::optional<TextTable> fidelity_table(const Summary& summary) {
  TextTable table{{"method", "equal tokens", "equal choices", "output error", "retained mass",
                   "least retained"}};
  for (const MethodSummary& m : summary.methods) {
    if (!m.fidelity) continue;
    const std::vector<double>& heads = m.fidelity->mass_of_heads;
    table.rows.push_back(
        {m.method, share(m.fidelity->token_agreement), share(m.fidelity->step_agreement),
         share(m.fidelity->output_error), share(m.fidelity->retained_mass),
         heads.empty() ? kNothing
                       : fmt::format("{:.3f}", *std::min_element(heads.begin(), heads.end()))});
  }
  if (table.rows.empty()) return std::nullopt;
  return table;
}

}  // namespace unmask
