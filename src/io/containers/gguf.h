// The GGUF container, versions 2 and 3: typed metadata and a directory of (quantized) tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/containers/mapped_file.h"

namespace unmask {

/// How a tensor is stored: blocks of `block_elements` values in `block_bytes` bytes.
struct GgmlType {
  uint32_t id;
  std::string_view name;  // e.g. "Q4_K"
  uint32_t block_elements;
  uint32_t block_bytes;
};

/// The type of that name, which must be one that is read.
const GgmlType& ggml_type(std::string_view name);

/// Types of metadata values, numbered as in the file.
enum class GgufType : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64,
};

std::string_view gguf_type_name(GgufType type);

/// A list of scalars as stored (little-endian, unaligned), or of strings.
struct GgufArray {
  GgufType element;
  uint64_t count;
  std::span<const std::byte> bytes;
  std::vector<std::string_view> strings;  // of a string array only
};

/// A metadata value; integers are widened to 64 bits, floats to double. Text lies in the file and
/// is not checked for being UTF-8.
struct GgufValue {
  GgufType type;
  std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray> value;
};

/// A tensor; `sizes` as in the file, fastest-running first: a matrix [out, in] has sizes {in, out}.
struct GgufTensor {
  const GgmlType* type;
  std::vector<int64_t> sizes;
  std::span<const std::byte> bytes;
};

/// One mapped file; every count, length, size and offset was checked against the file.
class GgufFile {
 public:
  /// Of a packed model the metadata that it was made with, without tensors. Throws Error with a
  /// one-line reason for anything the format forbids, and for what is legal but
  /// read by nobody: version 1, nested arrays, names of 64 bytes and more, unknown tensor types.
  explicit GgufFile(const std::filesystem::path& path);

  uint32_t version() const { return version_; }
  const std::filesystem::path& path() const { return path_; }
  const MappedFile& file() const { return file_; }
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }
  const std::map<std::string, GgufTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  uint32_t version_ = 0;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace unmask
