// unmask's own file: a model whose matrices lie as the CPU's products read them, so that a start
// maps it and is done, and processes that run it share its pages.
//
//     "UNMASKPK", version u32, reserved u32     16 bytes
//     data                                      every tensor and file at a multiple of 4,096 bytes,
//                                               of 2 MiB where it is as large
//     description, directory                    JSON, see below
//     offset u64, bytes u64 and checksum u64 of the description, of the directory, "UNMASKPK"
//
// in little-endian order. The end comes last because a writer knows it last, and a file that was
// cut off has none. The description is apart from the directory, which has thousands of members in
// a model of experts and is read once:
//
//     {"type": "int4", "source": "LLaDA-8B-Instruct", "layout": 1,
//      "files": {NAME: {"offset": N, "bytes": N, "checksum": "HEX"}, ...}}
//
//     {NAME: {"dtype": "int4", "panels": true, "shape": [OUT, IN], "offset", ... as above}, ...}
//
// "files" are those that describe the model (config.json, tokenizer.json, ...), as they were; of a
// GGUF model its metadata, as metadata.gguf. A tensor without panels lies in rows, its dtype
// spelled as in safetensors or GGUF.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "io/containers/tensor_directory.h"

namespace unmask {

/// Counts the changes of this format.
inline constexpr uint32_t kPackedVersion = 1;
/// Counts the changes of the panels (kernels/cpu/weight_layout.h), which are the same for every
/// processor.
inline constexpr int kPanelLayout = 1;
inline constexpr std::string_view kPackedMagic = "UNMASKPK";
/// The file that stands for a GGUF model's metadata.
inline constexpr std::string_view kPackedMetadata = "metadata.gguf";

/// Where something of so many bytes may begin.
constexpr uint64_t packed_alignment(uint64_t bytes) {
  return bytes >= (uint64_t{2} << 20) ? uint64_t{2} << 20 : uint64_t{4096};
}

/// Whether `path` is a file that begins as packed ones do.
bool is_packed_file(const std::filesystem::path& path);

/// Bytes of a packed file and what they should add up to.
struct PackedPart {
  std::string name;
  std::span<const std::byte> bytes;
  uint64_t checksum;
};

/// What a packed file says about itself, without its tensors.
class PackedDescription {
 public:
  /// Throws Error with a one-line reason for a file that is damaged or cut off, and for one of
  /// another version, saying how to make a new one.
  explicit PackedDescription(const std::filesystem::path& path);

  /// In which the matrices were packed, e.g. "int4".
  const std::string& type() const { return type_; }
  /// What the model was called.
  const std::string& source() const { return source_; }
  /// The files that describe the model, by name.
  const std::map<std::string, std::string_view, std::less<>>& files() const { return files_; }
  /// Where one of them begins in the packed file.
  size_t offset_of(std::string_view file) const {
    return static_cast<size_t>(reinterpret_cast<const std::byte*>(file.data()) -
                               file_.bytes().data());
  }

  const MappedFile& file() const { return file_; }
  const std::vector<PackedPart>& parts() const { return parts_; }

 private:
  MappedFile file_;
  std::string type_;
  std::string source_;
  std::map<std::string, std::string_view, std::less<>> files_;
  std::vector<PackedPart> parts_;  // the files
};

class PackedFile final : public TensorDirectory {
 public:
  /// Throws Error as PackedDescription, and for a damaged directory. The checksums of tensors and
  /// files are left to verify(): to compute them is to read everything.
  explicit PackedFile(const std::filesystem::path& path);

  const PackedDescription& description() const { return description_; }
  /// Compares all checksums. Throws Error naming what differs.
  void verify() const;

  std::optional<std::string> packed_type() const override { return description_.type(); }

 private:
  PackedDescription description_;
  std::vector<PackedPart> parts_;  // the tensors
};

}  // namespace unmask
