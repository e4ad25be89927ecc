// The tensors of a GGUF model: of one file, or of the parts that a large one was split into.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "io/containers/gguf.h"
#include "io/containers/tensor_directory.h"

namespace unmask {

/// Whether `path` is a file that begins as GGUF files do.
bool is_gguf_file(const std::filesystem::path& path);

/// The first of the parts NAME-00001-of-0000N.gguf that `file` is one of; else `file` itself.
std::filesystem::path first_gguf_part(const std::filesystem::path& file);

class GgufCheckpoint final : public TensorDirectory {
 public:
  /// Opens `file`, of a split model with all its parts, whichever of them it is. Throws Error as
  /// GgufFile, and when parts are missing, are not what their names say, or hold a tensor twice.
  explicit GgufCheckpoint(const std::filesystem::path& file);

  /// The file with the metadata: the only one, or the first part.
  const GgufFile& first() const { return *parts_.front(); }
  int parts() const { return static_cast<int>(parts_.size()); }

  /// Says that the two halves of each head of `head_dim` rows take turns in a tensor.
  void mark_interleaved(std::string_view name, int head_dim);

 private:
  void add_part(const std::filesystem::path& path);
  void check_parts() const;

  std::vector<std::unique_ptr<GgufFile>> parts_;
};

}  // namespace unmask
