// The safetensors container: an 8-byte header length, a JSON header, raw little-endian data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/containers/mapped_file.h"

namespace unmask {

/// One tensor of a checkpoint: a view into the mapped file, possibly unaligned.
struct StoredTensor {
  std::string dtype;  // as the file spells it, e.g. "BF16"
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;

  /// Product of the shape (1 for a scalar).
  int64_t elements() const;
  /// The element type, where the engine computes with it. Throws Error naming `dtype` otherwise.
  DType element_type() const;
};

/// One mapped file; every offset, shape and size in its header was checked against the file.
class SafetensorsFile {
 public:
  /// Throws Error with a one-line reason for anything the format forbids.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  /// Throws Error when there is no such tensor.
  const StoredTensor& at(std::string_view name) const;
  const MappedFile& file() const { return file_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace unmask
