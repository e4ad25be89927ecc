// The one denoising loop.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "sampling/sampler.h"

namespace unmask {

/// Puts a method that watches around the method of a request; it must change nothing.
using MethodObserver = std::function<std::unique_ptr<Method>(std::unique_ptr<Method>)>;

/// A canvas to be completed. Masked positions may stand anywhere; everything else is given.
struct Request {
  std::vector<TokenId> tokens;  // prompt and masks
  int prompt_length = 0;        // where the generated part begins
  int block_length = 0;         // divides the generated part; equal to it: one block
  int steps = 0;                // of all blocks together; a multiple of the number of blocks
  SamplerOptions sampler;
  double cfg_scale = 0;          // > 0: classifier-free guidance, a second pass without the prompt
  std::string method = "full";   // see create_method
  std::vector<TokenId> eos_ids;  // tokens that end a text
  bool early_stop = false;       // stop when an end token and all before it are decided
  MethodObserver observe{};      // optional; guidance's pass without the prompt is not observed

  int gen_length() const { return static_cast<int>(tokens.size()) - prompt_length; }
  Range generated() const { return {prompt_length, static_cast<int>(tokens.size())}; }
};

/// A request for `gen_length` masks after `prompt`.
Request append_masks(std::vector<TokenId> prompt, int gen_length, TokenId mask_id);

/// Throws Error saying what to change when the sizes or options of a request are impossible.
void check_request(const Request& request, const ModelConfig& config);

/// What just happened to one sequence.
struct StepEvent {
  int sequence;     // index of the request
  int step;         // of the generation, from 0
  int total_steps;  // planned; an upper bound with dynamic commits or early stop
  Range block;
  std::span<const TokenId> tokens;  // the whole canvas after the step
  std::span<const Decision> decided;
  int rows;        // rows that went through the network
  int masks_left;  // in the generated part
  double seconds;  // since the generation began; steps that a backend took alone share their time
};

/// Returning false cancels the sequence.
using StepCallback = std::function<bool(const StepEvent&)>;

struct Result {
  std::vector<TokenId> tokens;  // the whole canvas
  Range answer;                 // generated positions before the first end token
  int steps = 0;                // including steps that had nothing to decide
  int forward_passes = 0;       // guidance counts twice
  int64_t rows = 0;             // rows computed in all passes
  int masks_left = 0;           // in the generated part; 0 unless cancelled or starved of steps
  bool stopped_early = false;
  bool cancelled = false;
  double seconds = 0;
  double seconds_to_first_text = 0;  // until the first generated position was decided for good
};

/// Denoises the requests side by side, each with its own method and state; the matrix products of a
/// step are shared. A request's result does not depend on its neighbours. Throws Error when a
/// request is impossible, before any work.
std::vector<Result> generate(Transformer& model, std::span<const Request> requests,
                             const StepCallback& on_step = {});

}  // namespace unmask
