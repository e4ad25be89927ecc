// Revealing the tokens of a step of a series, as cell work.
#pragma once

#include "kernels/cuda/row_work.h"
#include "kernels/series_plan.h"

namespace unmask::cuda {

/// Gives the surest open rows of a step their tokens; a cell is an open row.
struct Reveal {
  int rows, cols;  // open rows when the series began, 1
  const Choice* choices;
  Surety surety;
  const int* step;    // which it is
  const int* counts;  // by step
  const int* places;  // of the open rows in the canvas
  int* canvas;
  Revealed* revealed;  // a row is open while its step is not below the present one

  UNMASK_BOTH_SIDES float confidence(int row) const {
    const Choice& c = choices[row];
    return surety == Surety::probability ? c.probability
           : surety == Surety::margin    ? c.margin
                                         : c.neg_entropy;
  }
  /// True when the row is decided now. Rows that other cells decide meanwhile carry this step's
  /// number, so they count as open.
  UNMASK_BOTH_SIDES bool value(int row, int /*col*/) const {
    const int now = *step;
    if (revealed[row].step < now) return false;
    const float own = confidence(row);
    int surer = 0;
    for (int other = 0; other < rows; ++other) {
      if (revealed[other].step < now) continue;
      const float theirs = confidence(other);
      surer += theirs > own || (theirs == own && other < row) ? 1 : 0;
    }
    return surer < counts[now];
  }
  UNMASK_BOTH_SIDES void put(int row, int /*col*/, bool decided) const {
    if (!decided) return;
    const int token = choices[row].token;
    revealed[row] = {*step, token, confidence(row)};
    if (token >= 0) canvas[places[row]] = token;
  }
};

/// Counts the steps.
struct NextStep {
  int rows, cols;  // 1, 1
  int* step;
  UNMASK_BOTH_SIDES int value(int /*row*/, int /*col*/) const { return *step + 1; }
  UNMASK_BOTH_SIDES void put(int /*row*/, int /*col*/, int value) const { *step = value; }
};

}  // namespace unmask::cuda
