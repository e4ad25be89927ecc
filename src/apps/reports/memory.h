// How much memory a model needs, how much there is, and how much was used.
#pragma once

#include <cstdint>
#include <optional>

#include "io/model_config.h"
#include "kernels/create_backend.h"

namespace unmask {

struct MemoryNeed {
  int64_t weights = 0;       // packed; the embedding is read in place from its file
  int64_t workspace = 0;     // activations and a tile of logits
  int64_t kv_per_token = 0;  // for methods that keep keys and values, all layers together

  int64_t total() const { return weights + workspace; }
};

/// For weights packed as `weights` and a canvas of `rows` tokens.
MemoryNeed memory_need(const ModelConfig& config, WeightType weights, int rows);

/// Bytes the system can hand out without swapping, if it says so.
std::optional<int64_t> available_memory();

/// The largest resident size this process ever had, in bytes.
int64_t peak_memory();

}  // namespace unmask
