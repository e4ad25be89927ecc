// A pass of full attention over a canvas, outside the denoising loop.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "model/transformer.h"

namespace unmask {

/// What the pass of one canvas needs as long as it runs.
class SinglePass {
 public:
  /// `method` looks on; `block` holds the positions of interest. All of it outlives the pass.
  SinglePass(const ModelConfig& config, Method& method, std::span<const TokenId> tokens,
             Range block)
      : config_(config), method_(method), stores_(static_cast<size_t>(config.n_layers)) {
    step_.total = 1;
    step_.block = block;
    step_.prompt_length = block.begin;
    step_.tokens = tokens;
    step_.mask_id = config.mask_id;
  }

  /// The hidden states wanted are those that predict `positions`, ascending.
  SequencePass slice(std::span<const int> positions) {
    std::vector<int> wanted;
    for (const int p : positions) wanted.push_back(std::max(0, p - config_.logit_shift));
    return {step_, method_.plan_step(step_), &method_, &stores_, Rows(std::move(wanted))};
  }

 private:
  const ModelConfig& config_;
  Method& method_;
  std::vector<KvStore> stores_;
  Step step_;
};

}  // namespace unmask
