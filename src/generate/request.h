// What the engine is asked: a canvas with masks, and how to fill them.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/model_config.h"
#include "model/method.h"
#include "sampling/sampler.h"

namespace unmask {

class TokenAutomaton;

/// Puts a method that watches around the method of a request; it must change nothing.
using MethodObserver = std::function<std::unique_ptr<Method>(std::unique_ptr<Method>)>;

/// A canvas to be completed. Masked positions may stand anywhere; everything else is given.
struct Request {
  std::vector<TokenId> tokens;  // prompt and masks
  int prompt_length = 0;        // where the generated part begins
  int block_length = 0;         // of the generated part; the last block may be shorter
  int steps = 0;                // of all blocks together; at least one a block
  /// Where the generated part may grow to, a block at a time, while it is full and has no end; 0:
  /// it stays as it is.
  int most_length = 0;
  SamplerOptions sampler;
  double cfg_scale = 0;          // > 0: classifier-free guidance, a second pass without the prompt
  std::string method = "full";   // see create_method
  std::vector<TokenId> eos_ids;  // tokens that end a text
  bool early_stop = false;       // stop when an end token and all before it are decided
  /// What the generated part must be, which is all masks then: a text of this automaton and end
  /// tokens behind it. The tokens come from the search of constrain/witness.h.
  std::shared_ptr<const TokenAutomaton> constraint{};
  /// How many alternatives of each decided token are told (StepEvent::alternatives); none: nothing.
  std::optional<int> alternatives{};
  MethodObserver observe{};  // optional; guidance's pass without the prompt is not observed

  int gen_length() const { return static_cast<int>(tokens.size()) - prompt_length; }
  int blocks() const { return (gen_length() + block_length - 1) / block_length; }
  /// Tokens of the canvas when it has grown as far as it may.
  int most_tokens() const { return prompt_length + std::max(gen_length(), most_length); }
  Range generated() const { return {prompt_length, static_cast<int>(tokens.size())}; }
};

/// A request for `gen_length` masks after `prompt`: one block, one token a step.
Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id);

/// Throws Error saying what to change when the sizes or options of a request are impossible.
void check_request(const Request& request, const ModelConfig& config);

}  // namespace unmask
