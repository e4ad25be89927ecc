// A checkpoint whose positions see blocks, which changes its texts but is as good for laws.
#pragma once

#include <optional>
#include <string>

#include "support/method_requests.h"

namespace unmask::testing {

class BlockCausal {
 public:
  BlockCausal(const std::string& name, int block)
      : loaded_(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
                create_cpu_backend({.threads = 2})) {
    loaded_.config.visibility = Visibility::block_causal(block);
    transformer_.emplace(loaded_.config, loaded_.weights, *loaded_.backend);
  }
  Request request(const std::string& method, int prompt, int gen_length, int block, int steps) {
    return method_request(loaded_, method, prompt, gen_length, block, steps);
  }
  Result run(const Request& r) { return generate(*transformer_, std::span(&r, 1))[0]; }
  Transformer& transformer() { return *transformer_; }
  const ModelConfig& config() const { return loaded_.config; }

 private:
  LoadedModel loaded_;
  std::optional<Transformer> transformer_;
};

}  // namespace unmask::testing
