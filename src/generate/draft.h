// Lossless drafts (FreeDave, arXiv 2510.00294): a pass evaluates the canvas and canvases that it
// may become. While the step from one of them leads to the next, that one's pass has been computed
// already, so several steps take one pass. Nothing is approximate: a step is decided by the pass
// over its own canvas, whose bits do not depend on its neighbours.
#pragma once

#include <map>
#include <vector>

#include "generate/alternatives.h"
#include "generate/constrained_row.h"
#include "model/layer_rows.h"

namespace unmask {

/// What is read of the hidden rows of a pass.
struct RowReading {
  std::vector<TokenStats> stats;              // of each position that is read
  std::vector<ConstrainedRow> constrained{};  // the same, with a constraint
  std::map<int, Alternatives> considered{};   // by candidate, where the request asks for it
};

struct Draft {
  std::vector<TokenId> tokens;  // the canvas
  std::vector<int> read;        // the positions that its step may decide, ascending
  SequencePass pass;
  RowReading reading{};  // once the pass is computed; of a pass whose logits are no numbers: empty
};

}  // namespace unmask
