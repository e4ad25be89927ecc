// How the published code of each family generates, as data: what a request does that says nothing.
#pragma once

#include <optional>

#include "io/model_config.h"
#include "sampling/sampler.h"

namespace unmask {

struct GenerationRules {
  Algorithm algorithm = Algorithm::low_confidence;
  std::optional<Counts> counts{};
  std::optional<double> threshold{};  // decisions wait for it in every preset
  bool above = false;                 // as in SamplerOptions, as the next three
  bool least = false;
  bool top_k_first = false;
  bool remask = false;
  std::optional<double> temperature{};
  std::optional<int> steps{};  // of the whole generation
  int block_length = 0;        // 0: one block
  bool advised = false;        // generation_config.json may name the algorithm
};

GenerationRules rules_of(const ModelConfig& config);

}  // namespace unmask
