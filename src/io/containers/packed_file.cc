#include "io/containers/packed_file.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/checksum.h"
#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

namespace {

using nlohmann::json;

constexpr size_t kHeaderBytes = 16;
constexpr size_t kEntryBytes = 24;  // of the footer: offset, bytes, checksum
constexpr size_t kFooterBytes = 2 * kEntryBytes + kPackedMagic.size();
constexpr size_t kMaxJsonBytes = size_t{64} << 20;
constexpr size_t kMostParts = 200000;
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

/// Reads the JSON at the end of a packed file, checking every member against the file.
class PackedReader {
 public:
  /// Throws Error where the file has no beginning or no end.
  PackedReader(std::span<const std::byte> file, std::string where)
      : file_(file), where_(std::move(where)) {
    if (file.size() < kHeaderBytes + kFooterBytes || !has_magic(file, 0)) {
      fail("{}: is no packed model", where_);
    }
    const auto version = number_at<uint32_t>(file, kPackedMagic.size());
    if (version != kPackedVersion) {
      fail("{}: version {} of the format, expected {}; {}", where_, version, kPackedVersion,
           remake("", ""));
    }
    if (!has_magic(file, file.size() - kPackedMagic.size())) {
      fail("{}: has no end: it was cut off; copy or make it again", where_);
    }
    data_ = file.first(file.size() - kFooterBytes);
  }

  json description() const { return object("description", data_.size()); }
  json directory() const { return object("directory", data_.size() + kEntryBytes); }

  std::string text(const json& object, const char* key) const;
  int whole(const json& object, const char* key) const;
  /// Every member of an object as a part of the file, with what else is said of it.
  void each_part(const json& object,
                 const std::function<void(const PackedPart& part, const json& entry)>& use) const;
  StoredTensor tensor(const PackedPart& part, const json& entry) const;

  [[noreturn]] void refuse(std::string_view what, std::string_view why) const {
    fail("{}: '{}' {}", where_, printable(what), why);
  }

 private:
  json object(const char* what, size_t footer_entry) const;
  uint64_t number(const std::string& name, const json& entry, const char* key) const;
  uint64_t checksum_in(const std::string& name, const json& entry) const;

  std::span<const std::byte> file_;
  std::span<const std::byte> data_;  // without the footer
  std::string where_;
};

json PackedReader::object(const char* what, size_t footer_entry) const {
  const auto offset = number_at<uint64_t>(file_, footer_entry);
  const auto bytes = number_at<uint64_t>(file_, footer_entry + 8);
  if (bytes > kMaxJsonBytes || offset > data_.size() || bytes > data_.size() - offset) {
    fail("{}: its {} of {} bytes at {} lies outside the file", where_, what, bytes, offset);
  }
  const auto part = data_.subspan(offset, bytes);
  if (checksum(part) != number_at<uint64_t>(file_, footer_entry + 16)) {
    fail("{}: its {} is damaged; copy or make the file again", where_, what);
  }
  json object = parse_json({reinterpret_cast<const char*>(part.data()), part.size()}, where_,
                           {.max_bytes = kMaxJsonBytes, .max_depth = 8});
  if (!object.is_object()) fail("{}: its {} is no object", where_, what);
  return object;
}

std::string PackedReader::text(const json& object, const char* key) const {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) refuse(key, "expected a text");
  return found->get<std::string>();
}

int PackedReader::whole(const json& object, const char* key) const {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) refuse(key, "expected a number");
  return found->get<int>();
}

uint64_t PackedReader::number(const std::string& name, const json& entry, const char* key) const {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_number_unsigned()) {
    refuse(name, fmt::format("has no whole number '{}'", key));
  }
  return found->get<uint64_t>();
}

uint64_t PackedReader::checksum_in(const std::string& name, const json& entry) const {
  const auto found = entry.find("checksum");
  const std::string text =
      found != entry.end() && found->is_string() ? found->get<std::string>() : "";
  char* end = nullptr;
  const uint64_t value = std::strtoull(text.c_str(), &end, 16);
  if (text.size() != 16 || *end != '\0') refuse(name, "has no checksum");
  return value;
}

void PackedReader::each_part(
    const json& object,
    const std::function<void(const PackedPart& part, const json& entry)>& use) const {
  if (object.size() > kMostParts) fail("{}: has too many parts", where_);
  for (const auto& [name, entry] : object.items()) {
    if (!entry.is_object()) refuse(name, "expected an object");
    const uint64_t offset = number(name, entry, "offset");
    const uint64_t bytes = number(name, entry, "bytes");
    if (offset > data_.size() || bytes > data_.size() - offset) {
      refuse(name, "lies outside the file");
    }
    if (offset % packed_alignment(0) != 0) refuse(name, "is not aligned");
    use({name, data_.subspan(offset, bytes), checksum_in(name, entry)}, entry);
  }
}

StoredTensor PackedReader::tensor(const PackedPart& part, const json& entry) const {
  const auto dtype = entry.find("dtype");
  const auto panels = entry.find("panels");
  const auto shape = entry.find("shape");
  if (dtype == entry.end() || !dtype->is_string() || panels == entry.end() ||
      !panels->is_boolean() || shape == entry.end() || !shape->is_array() || shape->empty() ||
      shape->size() > 2) {
    refuse(part.name, "has no dtype, panels and shape of a matrix or vector");
  }
  StoredTensor tensor{.dtype = dtype->get<std::string>(), .shape = {}, .bytes = part.bytes};
  for (const json& size : *shape) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() < 1 ||
        size.get<uint64_t>() > kLongestSide) {
      refuse(part.name, "has an impossible shape");
    }
    tensor.shape.push_back(size.get<int64_t>());
  }
  tensor.in_panels = panels->get<bool>();
  tensor.blocks = find_block_format(tensor.dtype);
  if (tensor.in_panels) return tensor;  // whoever knows the panels checks their bytes
  const auto width = static_cast<uint64_t>(tensor.shape.back());
  if (tensor.blocks && width % static_cast<uint64_t>(block_traits(*tensor.blocks).elements) != 0) {
    refuse(part.name, "has rows that are no whole blocks");
  }
  const uint64_t row = tensor.blocks ? block_bytes(*tensor.blocks, width)
                                     : width * dtype_bytes(tensor.element_type());
  const uint64_t rows = static_cast<uint64_t>(tensor.elements()) / width;
  if (row * rows != part.bytes.size()) {
    refuse(part.name, "has bytes that are not those of its shape");
  }
  return tensor;
}

std::string where_of(const std::filesystem::path& path) { return "[packed] " + path.string(); }

}  // namespace

bool is_packed_file(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  std::array<char, kPackedMagic.size()> bytes{};
  std::ifstream in(path, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  return in && std::string_view(bytes.data(), bytes.size()) == kPackedMagic;
}

PackedDescription::PackedDescription(const std::filesystem::path& path) : file_(path) {
  const PackedReader reader(file_.bytes(), where_of(path));
  const json description = reader.description();
  type_ = reader.text(description, "type");
  source_ = reader.text(description, "source");
  if (const int layout = reader.whole(description, "layout"); layout != kPanelLayout) {
    fail("{}: panels of layout {}, this program reads {}; {}", where_of(path), layout, kPanelLayout,
         remake(source_, type_));
  }
  const auto files = description.find("files");
  if (files == description.end() || !files->is_object()) {
    reader.refuse("files", "expected an object");
  }
  reader.each_part(*files, [&](const PackedPart& part, const json& /*entry*/) {
    parts_.push_back(part);
    files_.emplace(part.name, std::string_view(reinterpret_cast<const char*>(part.bytes.data()),
                                               part.bytes.size()));
  });
}

PackedFile::PackedFile(const std::filesystem::path& path)
    : TensorDirectory(path), description_(path) {
  const PackedReader reader(description_.file().bytes(), where_of(path));
  reader.each_part(reader.directory(), [&](const PackedPart& part, const json& entry) {
    parts_.push_back(part);
    add(part.name, reader.tensor(part, entry), description_.file(), path);
  });
}

void PackedFile::verify() const {
  for (const std::vector<PackedPart>& parts : {description_.parts(), parts_}) {
    for (const PackedPart& part : parts) {
      if (checksum(part.bytes) != part.checksum) {
        fail("{}: '{}' is damaged; copy or make the file again", where_of(path()),
             printable(part.name));
      }
      description_.file().release(part.bytes);
    }
  }
}

}  // namespace unmask
