// ES-dLLM (arXiv 2603.10088): most rows of a block hardly change from step to step and are not
// about to be decided, so a pass over the block goes on with half of its rows after an eighth of
// the layers and with a quarter after a quarter of them. Keys and values of the others, and of
// whatever is outside the block, are those of earlier passes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "methods/options.h"
#include "methods/position_cache.h"

namespace unmask {

struct EsDllmOptions {
  struct Skip {
    double at;    // share of the layers, rounded up to the layer after which rows are skipped
    double keep;  // share of the pass's rows that go on
  };
  std::array<Skip, 2> skips{{{0.125, 0.5}, {0.25, 0.25}}};
  double alpha = 0.5;      // weight of the confidence; the change has the rest
  int block_update = 16;   // tokens' worth of steps between passes that skip nothing
  int prompt_update = 64;  // the same between passes that begin with the prompt
};

class EsDllm final : public PositionCache {
 public:
  EsDllm(const EsDllmOptions& options, const ModelConfig& config)
      : options_(options), n_layers_(config.n_layers), shift_(config.logit_shift) {}
  std::string_view name() const override { return "es-dllm"; }
  bool leaves_masks_out() const override { return true; }

  StepPlan plan_step(const Step& step) override;
  Rows cut(CutScope& scope) override;
  size_t state_bytes() const override;

 private:
  /// What a layer with a cut gave when a row went past it last.
  struct Earlier {
    int layer;
    Buffer hidden;  // [positions, dim], float32
    int positions = 0;
  };

  /// Where each pass over `rows` rows is cut, `skips` or not: a cut that keeps all learns.
  std::vector<RowCut> cuts(const Step& step, int rows, bool skips) const;
  /// Rows of the pass by how much they matter, the larger the more.
  std::vector<float> scores(const CutScope& scope, Tensor earlier) const;
  /// The mask of the block that a row decides.
  std::optional<int> decides(const Step& step, int row) const;
  int deciding_row(int position) const;
  Earlier& earlier(const CutScope& scope);

  EsDllmOptions options_;
  int n_layers_;
  int shift_;
  Range block_;     // of the last step
  int before_ = 0;  // positions of the blocks before it
  int known_ = 0;   // positions that were computed
  std::vector<Earlier> earlier_;
  Buffer moved_;  // rows on their way there
};

/// alpha, block_update, prompt_update, first_at, first_keep, second_at, second_keep.
std::unique_ptr<Method> create_es_dllm(Options& options, const MethodContext& context);

}  // namespace unmask
