// The tensors of a model by name, whatever container they lie in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/block_format.h"
#include "core/dtype.h"
#include "io/containers/mapped_file.h"

namespace unmask {

/// One tensor: a view into a mapped file, possibly unaligned.
struct StoredTensor {
  std::string dtype;           // as the file spells it, e.g. "BF16" or "Q4_K"
  std::vector<int64_t> shape;  // slowest-running first: a matrix is [out, in]
  std::span<const std::byte> bytes;
  std::optional<BlockFormat> blocks{};  // the values come in blocks of this format
  /// Where not 0, rows come in heads of so many whose two halves take turns (see
  /// HostMatrix::interleaved).
  int interleaved = 0;
  /// Not rows but panels (kernels/panels.h) of the weight type or block format that `dtype` names.
  bool in_panels = false;

  /// Product of the shape (1 for a scalar).
  int64_t elements() const;
  /// The type of elements that do not come in blocks, where the engine computes with it. Throws
  /// Error naming `dtype` otherwise.
  DType element_type() const;
};

/// Movable; the files stay mapped as long as it lives.
class TensorDirectory {
 public:
  virtual ~TensorDirectory() = default;
  TensorDirectory(TensorDirectory&&) = default;
  TensorDirectory& operator=(TensorDirectory&&) = default;

  /// What was opened: a folder or a file, for messages.
  const std::filesystem::path& path() const { return path_; }
  /// From now on tensors have other names; by new name the one until now, which must be there.
  void rename(const std::map<std::string, std::string>& new_names);

  /// Cuts a tensor along its first dimension: in its place stand tensors of these names, which have
  /// as many rows each. One row alone loses that dimension where `stacked`. Throws Error when the
  /// rows are not the tensor's.
  void split(const std::string& name, std::span<const std::string> parts,
             std::span<const int64_t> rows, bool stacked);

  bool contains(std::string_view name) const;
  /// Throws Error naming the tensor and the path when it is missing.
  const StoredTensor& at(std::string_view name) const;
  /// Names of all tensors, sorted.
  std::vector<std::string_view> names() const;
  /// Sum of the bytes of all tensors.
  int64_t total_bytes() const;
  /// Tells weights apart: a hash of all names and of the first, middle and last bytes of every
  /// tensor, so that it is quick whatever their size.
  uint64_t fingerprint() const;
  /// The weight type for which its tensors were prepared: matrices lie in panels, rows in the order
  /// in which the engine keeps them, and no value is infinite or no number. None: as published.
  virtual std::optional<std::string> packed_type() const { return std::nullopt; }
  /// Drops the pages of a tensor that was copied elsewhere (see MappedFile::release).
  void release(std::string_view name) const;

 protected:
  explicit TensorDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// Throws Error when there is a tensor of that name; `file` must stay where it is.
  void add(const std::string& name, StoredTensor tensor, const MappedFile& file,
           const std::filesystem::path& file_path);
  StoredTensor& mutable_at(std::string_view name);
  /// The file that holds a tensor; empty when there is none of that name.
  std::filesystem::path file_of(std::string_view name) const;

 private:
  struct Entry {
    StoredTensor tensor;
    const MappedFile* file;
    std::filesystem::path file_path;
  };
  const Entry& entry(std::string_view name) const;

  std::filesystem::path path_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace unmask
