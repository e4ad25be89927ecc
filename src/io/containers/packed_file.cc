#include "io/containers/packed_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/containers/checksum.h"
#include "io/json_file.h"

namespace unmask {

namespace {

using nlohmann::json;

constexpr size_t kHeaderBytes = 16;
constexpr size_t kFooterBytes = 32;
constexpr size_t kMaxDirectoryBytes = size_t{64} << 20;
constexpr size_t kMostTensors = 200000;
constexpr int64_t kLongestSide = 1 << 26;

template <typename T>
T number_at(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

bool has_magic(std::span<const std::byte> bytes, size_t offset) {
  return std::memcmp(bytes.data() + offset, kPackedMagic.data(), kPackedMagic.size()) == 0;
}

std::string remake(const std::string& source, const std::string& type) {
  return fmt::format("make it anew: unmask convert -m {} --dtype {}",
                     source.empty() ? "MODEL" : printable(source),
                     type.empty() ? "TYPE" : printable(type));
}

}  // namespace

bool is_packed_file(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  std::array<char, kPackedMagic.size()> bytes{};
  std::ifstream in(path, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  return in && std::string_view(bytes.data(), bytes.size()) == kPackedMagic;
}

/// Reads the directory, checking every member against the file.
class PackedFile::Directory {
 public:
  Directory(std::span<const std::byte> data, std::string where)
      : data_(data), where_(std::move(where)) {
    find();
  }

  std::string text(const char* key) const {
    const auto found = root_.find(key);
    if (found == root_.end() || !found->is_string()) refuse(key, "expected a text");
    return found->get<std::string>();
  }
  const json& members(const char* key) const {
    const auto found = root_.find(key);
    if (found == root_.end() || !found->is_object()) refuse(key, "expected an object");
    if (found->size() > kMostTensors) refuse(key, "has too many members");
    return *found;
  }
  int layout() const {
    const auto found = root_.find("layout");
    if (found == root_.end() || !found->is_number_unsigned()) refuse("layout", "expected a number");
    return found->get<int>();
  }
  Part part(const std::string& name, const json& entry) const {
    if (!entry.is_object()) refuse(name, "expected an object");
    const uint64_t offset = whole(name, entry, "offset");
    const uint64_t bytes = whole(name, entry, "bytes");
    if (offset > data_.size() || bytes > data_.size() - offset) {
      refuse(name, "lies outside the file");
    }
    if (offset % packed_alignment(0) != 0) refuse(name, "is not aligned");
    return {name, data_.subspan(offset, bytes), sum(name, entry)};
  }
  StoredTensor tensor(const std::string& name, const json& entry,
                      std::span<const std::byte> bytes) const;

  [[noreturn]] void refuse(std::string_view what, std::string_view why) const {
    fail("{}: '{}' {}", where_, printable(what), why);
  }

 private:
  void find();
  uint64_t whole(const std::string& name, const json& entry, const char* key) const {
    const auto found = entry.find(key);
    if (found == entry.end() || !found->is_number_unsigned()) {
      refuse(name, fmt::format("has no whole number '{}'", key));
    }
    return found->get<uint64_t>();
  }
  uint64_t sum(const std::string& name, const json& entry) const {
    const auto found = entry.find("checksum");
    const std::string text =
        found != entry.end() && found->is_string() ? found->get<std::string>() : "";
    char* end = nullptr;
    const uint64_t value = std::strtoull(text.c_str(), &end, 16);
    if (text.size() != 16 || *end != '\0') refuse(name, "has no checksum");
    return value;
  }

  std::span<const std::byte> data_;  // of the whole file
  std::string where_;
  json root_;
};

void PackedFile::Directory::find() {
  if (data_.size() < kHeaderBytes + kFooterBytes || !has_magic(data_, 0)) {
    fail("{}: is no packed model", where_);
  }
  const auto version = number_at<uint32_t>(data_, kPackedMagic.size());
  if (version != kPackedVersion) {
    fail("{}: version {} of the format, expected {}; {}", where_, version, kPackedVersion,
         remake("", ""));
  }
  const size_t footer = data_.size() - kFooterBytes;
  if (!has_magic(data_, footer + 24)) {
    fail("{}: has no end: it was cut off; copy or make it again", where_);
  }
  const auto offset = number_at<uint64_t>(data_, footer);
  const auto bytes = number_at<uint64_t>(data_, footer + 8);
  if (bytes > kMaxDirectoryBytes || offset > footer || bytes > footer - offset) {
    fail("{}: its directory of {} bytes at {} lies outside the file", where_, bytes, offset);
  }
  const auto directory = data_.subspan(offset, bytes);
  if (checksum(directory) != number_at<uint64_t>(data_, footer + 16)) {
    fail("{}: its directory is damaged; copy or make the file again", where_);
  }
  root_ = parse_json({reinterpret_cast<const char*>(directory.data()), directory.size()}, where_,
                     {.max_bytes = kMaxDirectoryBytes, .max_depth = 8});
  if (!root_.is_object()) fail("{}: its directory is no object", where_);
  data_ = data_.first(footer);
}

StoredTensor PackedFile::Directory::tensor(const std::string& name, const json& entry,
                                           std::span<const std::byte> bytes) const {
  const auto dtype = entry.find("dtype");
  const auto panels = entry.find("panels");
  const auto shape = entry.find("shape");
  if (dtype == entry.end() || !dtype->is_string() || panels == entry.end() ||
      !panels->is_boolean() || shape == entry.end() || !shape->is_array() || shape->empty() ||
      shape->size() > 2) {
    refuse(name, "has no dtype, panels and shape of a matrix or vector");
  }
  StoredTensor tensor{.dtype = dtype->get<std::string>(), .shape = {}, .bytes = bytes};
  for (const json& size : *shape) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() < 1 ||
        size.get<uint64_t>() > kLongestSide) {
      refuse(name, "has an impossible shape");
    }
    tensor.shape.push_back(size.get<int64_t>());
  }
  tensor.in_panels = panels->get<bool>();
  tensor.blocks = find_block_format(tensor.dtype);
  if (tensor.in_panels) return tensor;  // whoever knows the panels checks their bytes
  const auto width = static_cast<uint64_t>(tensor.shape.back());
  if (tensor.blocks && width % static_cast<uint64_t>(block_traits(*tensor.blocks).elements) != 0) {
    refuse(name, "has rows that are no whole blocks");
  }
  const uint64_t row = tensor.blocks ? block_bytes(*tensor.blocks, width)
                                     : width * dtype_bytes(tensor.element_type());
  const uint64_t rows = static_cast<uint64_t>(tensor.elements()) / width;
  if (row * rows != bytes.size()) refuse(name, "has bytes that are not those of its shape");
  return tensor;
}

PackedFile::PackedFile(const std::filesystem::path& path) : TensorDirectory(path), file_(path) {
  const std::string where = "[packed] " + path.string();
  const Directory directory(file_.bytes(), where);
  type_ = directory.text("type");
  source_ = directory.text("source");
  if (directory.layout() != kPanelLayout) {
    fail("{}: panels of layout {}, this program reads {}; {}", where, directory.layout(),
         kPanelLayout, remake(source_, type_));
  }
  for (const auto& [name, entry] : directory.members("files").items()) {
    const Part& part = parts_.emplace_back(directory.part(name, entry));
    files_.emplace(name, std::string_view(reinterpret_cast<const char*>(part.bytes.data()),
                                          part.bytes.size()));
  }
  for (const auto& [name, entry] : directory.members("tensors").items()) {
    const Part& part = parts_.emplace_back(directory.part(name, entry));
    add(name, directory.tensor(name, entry, part.bytes), file_, path);
  }
}

void PackedFile::verify() const {
  for (const Part& part : parts_) {
    if (checksum(part.bytes) != part.checksum) {
      fail("[packed] {}: '{}' is damaged; copy or make the file again", path().string(),
           printable(part.name));
    }
    file_.release(part.bytes);
  }
}

}  // namespace unmask
