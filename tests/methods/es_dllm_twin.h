// ES-dLLM (arXiv 2603.10088) written down once more, as its paper and released code describe it.
#pragma once

#include <vector>

#include "methods/model_twin.h"

namespace unmask::testing {

struct EsDllmTwinRequest {
  struct Skip {
    int layer;  // after which rows are skipped
    double keep;
  };
  std::vector<TokenId> tokens{};  // prompt and masks
  int prompt_length = 0;
  int block_length = 0;
  double threshold = 0;  // the best mask is always decided
  double alpha = 0;
  int block_update = 0;
  int prompt_update = 0;
  std::vector<Skip> skips{};
};

/// Step by step, what ES-dLLM decides; by ascending position.
std::vector<std::vector<PlainChoice>> es_dllm_twin(const PlainModel& model,
                                                   EsDllmTwinRequest request);

}  // namespace unmask::testing
