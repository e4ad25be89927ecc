// Flash-Cache (arXiv 2609.26796) written down once more, as its paper and released code describe
// it.
#pragma once

#include <vector>

#include "methods/model_twin.h"

namespace unmask::testing {

struct FlashCacheTwinRequest {
  std::vector<TokenId> tokens{};  // prompt and masks
  double threshold = 0;           // the best mask is always decided
  int active = 0;
  int masks = 0;
  int decided = 0;
};

/// Step by step, what Flash-Cache decides; by ascending position.
std::vector<std::vector<PlainChoice>> flash_cache_twin(const PlainModel& model,
                                                       FlashCacheTwinRequest request);

}  // namespace unmask::testing
