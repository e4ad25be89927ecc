// The weights of a Hugging Face model directory: model.safetensors, or shards with an index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/containers/safetensors.h"

namespace unmask {

class Checkpoint {
 public:
  /// Opens DIR/model.safetensors, or the shards that DIR/model.safetensors.index.json names. Throws
  /// Error with a one-line reason when a file is missing, malformed, or holds a tensor twice;
  /// without any, it says what the folder holds instead.
  explicit Checkpoint(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }
  /// From now on tensors have other names; by new name the one until now, which must be there.
  void rename(const std::map<std::string, std::string>& new_names);

  /// Cuts a tensor along its first dimension: in its place stand tensors of these names, which have
  /// as many rows each. One row alone loses that dimension where `stacked`. Throws Error when the
  /// rows are not the tensor's.
  void split(const std::string& name, std::span<const std::string> parts,
             std::span<const int64_t> rows, bool stacked);

  bool contains(std::string_view name) const;
  /// Throws Error naming the tensor and the directory when it is missing.
  const StoredTensor& at(std::string_view name) const;
  /// Names of all tensors, sorted.
  std::vector<std::string_view> names() const;
  /// Sum of the bytes of all tensors.
  int64_t total_bytes() const;
  /// Tells weights apart: a hash of all names and of the first, middle and last bytes of every
  /// tensor, so that it is quick whatever their size.
  uint64_t fingerprint() const;
  /// Drops the pages of a tensor that was copied elsewhere (see MappedFile::release).
  void release(std::string_view name) const;

 private:
  struct Entry {
    StoredTensor tensor;
    const SafetensorsFile* shard;
  };
  void add_shard(const std::filesystem::path& path);
  void add_indexed_shards(const std::filesystem::path& index);
  const Entry& entry(std::string_view name) const;

  std::filesystem::path directory_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace unmask
