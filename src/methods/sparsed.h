// SparseD (arXiv 2509.24014): full attention in the early steps, then one block pattern for each
// head, measured once on a full step and reused to the end of the generation.
#pragma once

#include <optional>
#include <vector>

#include "kernels/select.h"
#include "model/method.h"

namespace unmask {

class Options;

class SparseD final : public Method {
 public:
  struct Settings {
    double skip = 0.2;     // share of the steps that run full attention
    int block = 128;       // positions in a block
    int every = 0;         // steps between two measurements; 0: measure once
    bool reuse = true;     // false: a sparse step measures patterns of its own, for experiments
    bool own = false;      // the generation reads all of its own blocks, however they rank
    bool columns = false;  // rank keys one by one, by the attention that a block of queries pays
    float scale = 0;       // of the scores when blocks are ranked
    BlockSelection selection;
  };
  /// Reads skip, select, block, every, reuse, own, isolated, coverage, scale and unit.
  static Settings read(Options& options, const ModelConfig& config);

  SparseD(const Settings& settings, int n_layers)
      : settings_(settings), patterns_(static_cast<size_t>(n_layers)) {}

  std::string_view name() const override { return "sparsed"; }
  StepPlan plan_step(const Step& step) override;
  Attention attend(AttendScope& scope) override;
  void attended(int layer, BlockImportance& importance) override;
  size_t state_bytes() const override { return unused_.bytes(); }

  /// True when the planned step's attention follows the patterns.
  bool sparse() const { return pass_ == Pass::sparse; }
  /// One a layer; empty until measured.
  const std::vector<BlockPattern>& patterns() const { return patterns_; }

 private:
  /// What the attention of a step does. One that measures is full and leaves new patterns.
  enum class Pass : uint8_t { full, measuring, sparse };
  Pass pass_of(const Step& step) const;
  /// What attend() asks to be measured.
  void prepare_importance(const Step& step);
  /// Measures a layer by a dense pass of its own before its sparse attention.
  void measure_now(AttendScope& scope);
  /// The same where the pattern is of columns.
  void choose_now(AttendScope& scope);

  Settings settings_;
  Pass pass_ = Pass::full;            // of the planned step
  std::optional<int> last_measured_;  // index of that step
  int measured_length_ = 0;           // of the canvas that the patterns are for
  int first_own_ = 0;                 // block with a position of the generation
  BlockImportance importance_;        // of the layer at hand
  Buffer unused_;                     // output of the dense pass without reuse
  std::vector<BlockPattern> patterns_;
};

}  // namespace unmask
