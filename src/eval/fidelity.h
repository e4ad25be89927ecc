// How far a method departs from full attention, without anybody knowing the right answer.
#pragma once

#include <span>
#include <vector>

#include "generate/engine.h"

namespace unmask {

struct Fidelity {
  /// Share of the generated positions that hold the token full attention's own generation put
  /// there.
  double token_agreement = 0;
  /// Share of the decided tokens that full attention would have chosen on the same canvas.
  double step_agreement = 0;
  /// |out - out_full| / |out_full| of attention when the keys that the method leaves out are taken
  /// from full attention's own pass over the same canvas: of the rows of the block being denoised,
  /// mean over heads, layers and steps. Old keys in a cache are not counted, only missing ones.
  double output_error = 0;
  /// Share of full attention's probability that lies on the keys the method sees; likewise, but for
  /// each layer and head. [layers * heads], layer by layer
  std::vector<double> retained_mass{};

  double mean_retained_mass() const;
};

/// Runs `request` and, after each of its steps, full attention on the canvas before the step.
/// `full`: the result of the same request with method full. Throws Error when the method does not
/// say what its cache holds, when the temperature is above 0 (what is drawn by lot cannot agree)
/// and with guidance.
Fidelity measure_fidelity(Transformer& model, const Request& request, const Result& full,
                          const StepCallback& on_step = {});

}  // namespace unmask
