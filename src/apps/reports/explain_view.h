// The plan of a generation for people and for scripts.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "session/costs.h"
#include "session/preset.h"

namespace unmask {

/// What drafts take on a machine by its ceilings (roofline).
struct DraftCost {
  double times = 1;  // as long as the same passes without drafts
  double ridge = 0;  // rows whose products take as long as reading the weights
};

/// What a plan is about.
struct ExplainedRequest {
  Preset preset;
  const Request& request;
  const ModelConfig& config;
  std::string weights;  // type of the weights in memory
  std::string backend;  // what would compute it, and whose products
  // That one of two ranks gets from the other:
  int64_t column_bytes;               // where they split columns
  int64_t row_bytes;                  // where they split rows
  std::optional<DraftCost> drafts{};  // where there are some, and the ceilings are known
};

/// A table with a line for each run of like steps (operations and bytes are means), totals, and the
/// comparison with `full`, the plan of the same request without a method and drafts.
std::string explain_text(const ExplainedRequest& about, const Explanation& plan,
                         const Explanation& full);
/// The same with every step.
nlohmann::ordered_json explain_json(const ExplainedRequest& about, const Explanation& plan,
                                    const Explanation& full);

}  // namespace unmask
