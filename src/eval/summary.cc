#include "eval/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace unmask {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
void add_new(std::vector<T>& list, const T& item) {
  if (std::count(list.begin(), list.end(), item) == 0) list.push_back(item);
}

CellName cell_of(const Record& record) { return {record.key.task, record.key.length}; }

/// `value(record)` of every record that has one.
template <typename Value>
std::vector<double> collect(std::span<const Record* const> records, Value value) {
  std::vector<double> values;
  for (const Record* r : records) {
    if (const std::optional<double> v = value(*r)) values.push_back(*v);
  }
  return values;
}

double sum_of(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum;
}

ScoreCell summarize_cell(const CellName& name, const std::string& method,
                         std::span<const Record* const> records) {
  ScoreCell cell{.name = name, .method = method};
  cell.score = mean_of(collect(records, [](const Record& r) { return r.score; }));
  cell.seconds =
      mean_of(collect(records, [](const Record& r) { return std::optional(r.seconds); })).value;
  return cell;
}

std::optional<FidelityMeans> summarize_fidelity(std::span<const Record* const> records) {
  FidelityMeans means;
  const auto mean = [&](auto value) {
    return mean_of(collect(records, [&](const Record& r) {
      return r.fidelity ? std::optional<double>(value(*r.fidelity)) : std::nullopt;
    }));
  };
  means.token_agreement = mean([](const Fidelity& f) { return f.token_agreement; });
  if (means.token_agreement.count == 0) return std::nullopt;
  means.step_agreement = mean([](const Fidelity& f) { return f.step_agreement; });
  means.output_error = mean([](const Fidelity& f) { return f.output_error; });
  means.retained_mass = mean([](const Fidelity& f) { return f.mean_retained_mass(); });
  for (const Record* r : records) {
    if (!r->fidelity) continue;
    const std::vector<double>& mass = r->fidelity->retained_mass;
    means.mass_of_heads.resize(std::max(means.mass_of_heads.size(), mass.size()), 0);
    for (size_t i = 0; i < mass.size(); ++i) {
      means.mass_of_heads[i] += mass[i] / means.token_agreement.count;
    }
  }
  return means;
}

/// The records of one method beside those of the first.
class PairedRecords {
 public:
  explicit PairedRecords(std::span<const Record> records, const std::string& first) {
    for (const Record& r : records) {
      if (r.key.method == first) first_.emplace(Example{r.key.task, r.key.length, r.key.index}, &r);
    }
  }

  Mean difference(std::span<const Record* const> records) const {
    return mean_of(collect(records, [&](const Record& r) -> std::optional<double> {
      const Record* other = find(r);
      if (other == nullptr || !r.score || !other->score) return std::nullopt;
      return *r.score - *other->score;
    }));
  }
  double speed_up(std::span<const Record* const> records) const {
    double own = 0;
    double other = 0;
    for (const Record* r : records) {
      if (const Record* match = find(*r)) {
        own += r->seconds;
        other += match->seconds;
      }
    }
    return own > 0 ? other / own : 1;
  }

 private:
  using Example = std::tuple<std::string, int, int>;
  const Record* find(const Record& r) const {
    const auto found = first_.find({r.key.task, r.key.length, r.key.index});
    return found != first_.end() ? found->second : nullptr;
  }
  std::map<Example, const Record*> first_;
};

MethodSummary summarize_method(const std::string& method, std::span<const Record* const> records,
                               std::span<const ScoreCell> cells, const PairedRecords& comparison) {
  MethodSummary s{.method = method, .examples = static_cast<int>(records.size())};
  std::vector<double> scores;
  for (const ScoreCell& cell : cells) {
    if (cell.method == method && cell.score.count > 0) scores.push_back(cell.score.value);
  }
  if (!scores.empty()) s.score = mean_of(scores).value;
  const auto of_all = [&](auto value) {
    return collect(records,
                   [&](const Record& r) { return std::optional(static_cast<double>(value(r))); });
  };
  const std::vector<double> seconds = of_all([](const Record& r) { return r.seconds; });
  const double tokens = sum_of(of_all([](const Record& r) { return r.answer_tokens; }));
  s.difference = comparison.difference(records);
  s.speed_up = comparison.speed_up(records);
  s.seconds = mean_of(seconds).value;
  s.tokens_per_second = sum_of(seconds) > 0 ? tokens / sum_of(seconds) : 0;
  s.rows = mean_of(of_all([](const Record& r) { return r.rows; })).value;
  if (tokens > 0) {
    s.rows_per_token = sum_of(of_all([](const Record& r) { return r.rows; })) / tokens;
    s.passes_per_token = sum_of(of_all([](const Record& r) { return r.forward_passes; })) / tokens;
  }
  s.fidelity = summarize_fidelity(records);
  return s;
}

Json to_json(const Mean& mean) {
  if (mean.count == 0) return nullptr;
  return {{"mean", mean.value}, {"standard_error", mean.standard_error}, {"count", mean.count}};
}

Json to_json(const MethodSummary& s) {
  Json json{{"method", s.method},
            {"examples", s.examples},
            {"score", nullptr},
            {"difference", to_json(s.difference)},
            {"seconds", s.seconds},
            {"speed_up", s.speed_up},
            {"answer_tokens_per_second", s.tokens_per_second},
            {"rows", s.rows},
            {"rows_per_token", s.rows_per_token},
            {"passes_per_token", s.passes_per_token}};
  if (s.score) json["score"] = *s.score;
  if (s.cost) {
    json["planned"] = {{"density", s.cost->density},
                       {"operations", s.cost->operations},
                       {"peak_memory_bytes", s.cost->peak_bytes}};
  }
  if (s.fidelity) {
    json["fidelity"] = {{"token_agreement", to_json(s.fidelity->token_agreement)},
                        {"step_agreement", to_json(s.fidelity->step_agreement)},
                        {"output_error", to_json(s.fidelity->output_error)},
                        {"retained_mass", to_json(s.fidelity->retained_mass)},
                        {"retained_mass_of_heads", s.fidelity->mass_of_heads}};
  }
  return json;
}

}  // namespace

Mean mean_of(std::span<const double> values) {
  Mean mean{.count = static_cast<int>(values.size())};
  if (values.empty()) return mean;
  const auto n = static_cast<double>(values.size());
  mean.value = sum_of(values) / n;
  if (values.size() < 2) return mean;
  double squares = 0;
  for (const double v : values) squares += (v - mean.value) * (v - mean.value);
  mean.standard_error = std::sqrt(squares / (n - 1) / n);
  return mean;
}

const ScoreCell* Summary::find(const CellName& cell, const std::string& method) const {
  const auto found = std::find_if(table.begin(), table.end(), [&](const ScoreCell& c) {
    return c.name == cell && c.method == method;
  });
  return found != table.end() ? &*found : nullptr;
}

Summary summarize(std::span<const Record> records) {
  Summary summary;
  std::vector<std::string> methods;
  std::map<std::string, std::vector<const Record*>> of_method;
  std::map<std::pair<std::string, CellName>, std::vector<const Record*>> of_cell;
  for (const Record& r : records) {
    add_new(summary.cells, cell_of(r));
    add_new(methods, r.key.method);
    of_method[r.key.method].push_back(&r);
    of_cell[{r.key.method, cell_of(r)}].push_back(&r);
  }
  for (const CellName& cell : summary.cells) {
    for (const std::string& method : methods) {
      const auto found = of_cell.find({method, cell});
      if (found != of_cell.end())
        summary.table.push_back(summarize_cell(cell, method, found->second));
    }
  }
  if (methods.empty()) return summary;
  const PairedRecords comparison(records, methods.front());
  for (const std::string& method : methods) {
    summary.methods.push_back(
        summarize_method(method, of_method[method], summary.table, comparison));
  }
  return summary;
}

nlohmann::ordered_json to_json(const Summary& summary) {
  Json cells = Json::array();
  for (const ScoreCell& cell : summary.table) {
    cells.push_back({{"task", cell.name.task},
                     {"length", cell.name.length},
                     {"method", cell.method},
                     {"score", to_json(cell.score)},
                     {"seconds", cell.seconds}});
  }
  Json methods = Json::array();
  for (const MethodSummary& s : summary.methods) methods.push_back(to_json(s));
  return {{"methods", methods}, {"cells", cells}};
}

}  // namespace unmask
