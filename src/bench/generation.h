// How long a generation takes on a model of any shape, step by step, next to what the processor
// could do at best.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/bench_case.h"
#include "bench/ceilings.h"
#include "bench/random_model.h"
#include "bench/timing.h"
#include "kernels/metered/backend.h"
#include "session/costs.h"

namespace unmask {

/// A model with random weights on a backend that is measured.
class BenchModel {
 public:
  /// `shape` as parse_shape takes it; `threads` 0: all there are. Throws Error, and what `progress`
  /// throws.
  BenchModel(const std::string& shape, WeightType weights, int threads,
             const LoadProgress& progress = {});

  const std::string& shape() const { return shape_; }
  WeightType weight_type() const { return weight_type_; }
  const RandomModel& model() const { return model_; }
  MeteredBackend& meter() const { return meter_; }
  size_t weight_bytes() const { return model_.weights().packed_bytes; }

 private:
  std::string shape_;
  WeightType weight_type_;
  RandomModel model_;
  MeteredBackend& meter_;  // the model's
};

/// Steps with the same number of rows that all measure or all do not, all see every key or not.
struct StepKind {
  int rows = 0;
  bool measures = false;
  bool sparse = false;     // queries see a part of the keys at hand
  int planned = 0;         // of the generation
  Spread seconds{};        // of a step
  double limit = 0;        // seconds of a step whose operations all run at the ceilings, a mean
  OperationTimes times{};  // of a step, a mean
};

struct GenerationFigures {
  BenchCase about;
  double seconds = 0;      // of all steps, each at the median of its kind
  bool projected = false;  // not every step was run
  double limit = 0;        // seconds at the ceilings
  double operations = 0;
  size_t peak_bytes = 0;  // of weights, activations and caches
  std::vector<StepKind> kinds{};

  double tokens_per_second() const { return about.gen_length / seconds; }
};

/// Throws Error saying what to change when a case is impossible.
void check_bench_case(const ModelConfig& config, const BenchCase& about);

/// Called after every measured step; what it throws ends the measurement.
using BenchProgress = std::function<void(int step, int steps)>;

/// Runs the generation `repeat` times after a step that is not counted. Throws Error for an
/// impossible case, and when `most_steps` leaves a kind of step unmeasured.
GenerationFigures measure_generation(const BenchModel& model, const BenchCase& about,
                                     const Ceilings& ceilings, const BenchProgress& progress = {});

/// The ceilings that products with such weights and attention run against.
Rates rates_at(const Ceilings& ceilings, WeightType weights);
/// Seconds that `work` takes at the ceilings: products at the rate of the weights' type, or of
/// reading them where that is slower, and attention.
double limit_seconds(const WorkCount& work, WeightType weights, const Ceilings& ceilings);

}  // namespace unmask
