// The tables of an evaluation.
#pragma once

#include <optional>

#include "apps/draw/text_table.h"
#include "eval/summary.h"

namespace unmask {

/// One row a method: score, difference, speed, density, memory.
TextTable overview_table(const Summary& summary);
/// One row a method, one column a task and length.
TextTable score_table(const Summary& summary);
/// One row a method; none where nothing was measured.
std::optional<TextTable> fidelity_table(const Summary& summary);

/// "multikey 1,024".
std::string cell_title(const CellName& cell);

}  // namespace unmask
