// The safetensors container: an 8-byte header length, a JSON header, raw little-endian data.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "io/containers/mapped_file.h"
#include "io/containers/tensor_directory.h"

namespace unmask {

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
