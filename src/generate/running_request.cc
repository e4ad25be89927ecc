#include "generate/running_request.h"

#include <cmath>

namespace unmask {

void RunningRequest::decide() {
  const std::vector<int> positions = sequence.candidates();
  RowReading read = std::exchange(reading, {});
  const std::vector<ConstrainedRow>& rows = read.constrained;
  sequence.apply(read.stats, rows);
  alternatives.clear();
  if (!sequence.request().alternatives) return;
  for (const Decision& d : sequence.decided()) {
    alternatives.push_back(std::move(read.considered[d.position]));
    if (rows.empty()) continue;
    // The token is the constraint's choice, not the row's.
    const auto at = std::lower_bound(positions.begin(), positions.end(), d.position);
    const ConstrainedRow& row = rows[static_cast<size_t>(at - positions.begin())];
    const auto& classes = sequence.request().constraint->classes();
    const int token_class = classes[static_cast<size_t>(d.token)];
    alternatives.back().log_probability =
        std::log(row.probabilities[static_cast<size_t>(token_class)]);
  }
}

}  // namespace unmask
