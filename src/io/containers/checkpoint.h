// The weights of a Hugging Face model directory: model.safetensors, or shards with an index.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "io/containers/safetensors.h"
#include "io/containers/tensor_directory.h"

namespace unmask {

class Checkpoint final : public TensorDirectory {
 public:
  /// Opens DIR/model.safetensors, or the shards that DIR/model.safetensors.index.json names. Throws
  /// Error with a one-line reason when a file is missing, malformed, or holds a tensor twice;
  /// without any, it says what the folder holds instead.
  explicit Checkpoint(const std::filesystem::path& directory);

 private:
  void add_shard(const std::filesystem::path& path);
  void add_indexed_shards(const std::filesystem::path& index);

  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
};

}  // namespace unmask
