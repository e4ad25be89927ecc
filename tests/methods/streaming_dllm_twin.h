// Streaming-dLLM (arXiv 2601.17917) written down once more, as its paper and released code describe
// it: plain loops in double precision over a checkpoint, nothing of the engine but its files.
#pragma once

#include <vector>

#include "methods/model_twin.h"

namespace unmask::testing {

struct StreamingTwinRequest {
  std::vector<TokenId> tokens;  // prompt and masks
  int prompt_length = 0;
  int block_length = 0;
  int window = 0;
  double alpha = 0;
  double threshold = 0;
  std::vector<TokenId> ends;
};

/// The tokens that Streaming-dLLM gives.
std::vector<TokenId> streaming_dllm_twin(const PlainModel& model, StreamingTwinRequest request);

}  // namespace unmask::testing
