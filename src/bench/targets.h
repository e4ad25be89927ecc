// The speeds that this project wants of a machine, as ratios to its own ceilings, measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/timing.h"

namespace unmask {

struct Target {
  std::string what;
  Spread figure;
  double wanted = 0;
  bool at_most = false;  // else at least
  std::string next_to;   // what the figure is a ratio to, e.g. "bf16 236 GFLOP/s"

  bool met() const { return at_most ? figure.median <= wanted : figure.median >= wanted; }
  /// By more than its spread: no measurement met it.
  bool missed() const { return at_most ? figure.least > wanted : figure.most < wanted; }
};

/// Gets each target once measured, in order; what it throws ends the measurement.
using TargetSink = std::function<void(const Target& target)>;

/// Attention, block-sparse attention and products on their own, one thread, and products on
/// `threads` of them. Needs the instructions of avx512_bf16; throws Error without.
void measure_kernel_targets(int threads, const TargetSink& sink);

/// Steps and generations of models with random weights, int8 unless said, on `threads` threads.
void measure_method_targets(int threads, const TargetSink& sink);

}  // namespace unmask
