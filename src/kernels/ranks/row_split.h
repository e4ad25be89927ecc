// A backend whose ranks have all weights and share the rows of a pass (a decorator; sequence
// parallelism). Rows meet in attention only, so keys and values are all that travels in a layer.
#pragma once

#include <memory>
#include <string>

#include "core/dtype.h"
#include "kernels/backend.h"
#include "ranks/communicator.h"

namespace unmask {

struct RowSplitOptions {
  /// With fewer rows a rank, every rank computes them all. A product of so few rows takes as long
  /// as its weights take from memory, however few they are (20 int8 TOP/s and 300 GB/s: 33 rows),
  /// and rows that all have need not travel.
  int fewest_rows = 32;
  /// In which attention reads keys and values, which travel so: float32, or bfloat16 where it
  /// rounds them first.
  DType keys = DType::f32;
  int threads = 1;     // that round and copy them
  bool plans = false;  // nothing is computed: what travels is counted
  /// Keys and values of some heads travel while attention computes with those of others, in at most
  /// eight turns of at least so many bytes (512 KiB: 42 us at 100 Gbit/s, beside which what a turn
  /// costs by itself is small).
  int64_t least_at_once = int64_t{1} << 19;
};

/// RowSplitOptions::keys of the CPU's backend.
DType keys_of_attention(WeightType weights, const std::string& kernels);

/// `own`: a backend of the host's memory that knows of no ranks. All ranks make the same calls with
/// the same values; what the host reads is complete. `ranks` outlives the result.
std::unique_ptr<Backend> create_row_split(std::unique_ptr<Backend> own, Communicator& ranks,
                                          const RowSplitOptions& options);

}  // namespace unmask
