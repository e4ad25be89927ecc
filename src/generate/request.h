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

/// Holes that find their own length (DreamOn): the model writes one token for "here belong two" and
/// one for "here belongs none". Positions move, so no cache helps.
struct HoleGrowth {
  TokenId expand_id = 0;               // a position that gets it becomes two masks
  std::optional<TokenId> delete_id{};  // a position that gets it goes
  int expansions = 0;                  // at most
  int most_tokens = 0;                 // of the canvas
  bool fill_behind_end = false;        // masks behind the first `end_id` become it, too
  TokenId end_id = 0;
};

/// A canvas to be completed. Masked positions may stand anywhere; everything else is given.
struct Request {
  std::vector<TokenId> tokens;  // prompt and masks
  int prompt_length = 0;        // where the generated part begins
  int block_length = 0;         // of the generated part; the last block may be shorter
  int first_block = 0;          // of the first block, where it is shorter; 0: block_length
  int steps = 0;                // of all blocks together; at least one a block
  int steps_per_block = 0;      // > 0: of every block, whatever its length, instead of `steps`
  /// Where the generated part may grow to, a block at a time, while it is full and has no end; 0:
  /// it stays as it is.
  int most_length = 0;
  /// > 0: it grows ahead of the text, too, a block with each block that begins, while the end
  /// tokens that the model expects in the canvas's last block have a lower mean probability than
  /// this (after DAEDAL, arXiv 2508.00819). Read off the first pass of a block that computes
  /// those positions anyway; where none does, as in block-causal models, nothing is ahead.
  double end_in_sight = 0;
  SamplerOptions sampler;
  double cfg_scale = 0;           // > 0: classifier-free guidance, a second pass without the prompt
  std::string method = "full";    // see create_method
  std::vector<TokenId> eos_ids;   // tokens that end a text
  bool early_stop = false;        // stop when an end token and all before it are decided
  bool stop_after_block = false;  // the same, but only where one of the model's blocks is complete
  int answer_length = 0;          // > 0: of the generated part so much counts as answer
  std::optional<HoleGrowth> growth{};
  /// What the generated part must be, which is all masks then: a text of this automaton and end
  /// tokens behind it. The tokens come from the search of constrain/witness.h.
  std::shared_ptr<const TokenAutomaton> constraint{};
  /// How many alternatives of each decided token are told (StepEvent::alternatives); none: nothing.
  std::optional<int> alternatives{};
  MethodObserver observe{};  // optional; guidance's pass without the prompt is not observed

  int gen_length() const { return static_cast<int>(tokens.size()) - prompt_length; }
  int blocks() const {
    const int rest = first_block > 0 ? gen_length() - std::min(gen_length(), first_block) : 0;
    if (first_block > 0) return 1 + (rest + block_length - 1) / block_length;
    return (gen_length() + block_length - 1) / block_length;
  }
  /// Tokens of the canvas when it has grown as far as it may.
  int most_tokens() const {
    const int holes = growth ? growth->most_tokens - prompt_length : 0;
    return prompt_length + std::max({gen_length(), most_length, holes});
  }
  Range generated() const { return {prompt_length, static_cast<int>(tokens.size())}; }
};

/// A request for `gen_length` masks after `prompt`: one block, one token a step.
Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id);

/// Throws Error saying what to change when the sizes or options of a request are impossible.
void check_request(const Request& request, const ModelConfig& config);

}  // namespace unmask
