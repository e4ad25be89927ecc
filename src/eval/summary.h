// From single results to what a table shows.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "eval/record.h"

namespace unmask {

struct Mean {
  double value = 0;
  double standard_error = 0;  // 0 for a single value
  int count = 0;
};

/// Of independent values; count 0 without any.
Mean mean_of(std::span<const double> values);

/// One task at one length.
struct CellName {
  std::string task{};
  int length = 0;
  auto tied() const { return std::tie(task, length); }
  bool operator==(const CellName& other) const { return tied() == other.tied(); }
  bool operator<(const CellName& other) const { return tied() < other.tied(); }
};

/// One task at one length under one method.
struct ScoreCell {
  CellName name{};
  std::string method{};
  Mean score{};        // count 0: nothing to score
  double seconds = 0;  // mean, of a generation
};

/// What a generation is planned to cost, mean over the cells of a method.
struct Cost {
  double density = 1;     // keys that a query sees, as a share of the canvas, mean over the steps
  double operations = 0;  // of a generation
  double peak_bytes = 0;  // weights, activations and caches: the largest of the cells
};

struct FidelityMeans {
  Mean token_agreement{}, step_agreement{}, output_error{}, retained_mass{};
  std::vector<double> mass_of_heads{};  // [layers * heads], layer by layer
};

/// A method over all its cells.
struct MethodSummary {
  std::string method{};
  int examples = 0;
  std::optional<double> score{};  // mean of the cells' scores
  Mean difference{};              // of scores from the first method's on the same examples
  double seconds = 0;             // mean of a generation
  double speed_up = 1;            // seconds of the first method on the same cells over these
  double tokens_per_second = 0;   // before the first end token
  double rows = 0;                // through the network, mean of a generation
  double rows_per_token = 0;      // of the answers
  double passes_per_token = 0;
  std::optional<Cost> cost{};
  std::optional<FidelityMeans> fidelity{};
};

struct Summary {
  std::vector<CellName> cells{};  // in the order of the records
  std::vector<ScoreCell> table{};
  std::vector<MethodSummary> methods{};  // in the order of the records

  /// Null where a method has no result.
  const ScoreCell* find(const CellName& cell, const std::string& method) const;
};

Summary summarize(std::span<const Record> records);

nlohmann::ordered_json to_json(const Summary& summary);

}  // namespace unmask
