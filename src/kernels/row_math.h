// The passes over one row of logits that are worth vectorising. No standard headers: the files
// compiled per instruction set include this one.
#pragma once

namespace unmask {

struct RowMath {
  /// Index of the largest value, the lowest among equals.
  int (*argmax)(const float* row, int n);
  /// The two largest values of at least one; the second is -inf where there is no other.
  struct TopTwo {
    int index;  // of the first, the lowest among equals
    float first;
    float second;
  };
  TopTwo (*top_two)(const float* row, int n);
  /// sum exp(row[i] - shift) and sum exp(row[i] - shift) * (row[i] - shift); -inf counts as 0. The
  /// second is NaN where an element is, or is +inf.
  struct ExpSums {
    double sum;
    double weighted;
  };
  ExpSums (*exp_sums)(const float* row, int n, float shift);
};

}  // namespace unmask
