// Writes the weights of a model directory shard by shard, with little memory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/random_weights.h"
#include "model/families.h"

namespace unmask::tools {

/// Bytes the tensors take in `dtype`.
int64_t checkpoint_bytes(const std::vector<TensorSpec>& specs, DType dtype);

/// Writes model.safetensors, or `n_shards` shards of about equal size with their index, into an
/// existing directory. Throws Error naming the file when one cannot be written, or when `n_shards`
/// is not between 1 and the number of tensors.
void write_weights(const std::filesystem::path& directory, const std::vector<TensorSpec>& specs,
                   const RandomWeights& weights, int n_shards);

/// Writes a small text file. Throws Error naming it when that fails.
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace unmask::tools
