#include "io/containers/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/error.h"
#include "io/containers/file_kind.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr size_t kLengthField = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation
constexpr auto kMaxNumber = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
constexpr size_t kMaxRank = 64;  // keeps the memory of a hostile shape list small

struct StoredType {
  std::string_view name;
  uint64_t bits;  // of one element
};
constexpr std::array<StoredType, 22> kStoredTypes{{
    {"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6},     {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},     {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"I16", 16}, {"U16", 16},    {"F8_E5M2FNUZ", 8}, {"F16", 16},    {"BF16", 16},
    {"I32", 32}, {"U32", 32},    {"F32", 32},        {"C64", 64},    {"F64", 64},
    {"I64", 64}, {"U64", 64},
}};

/// One tensor as the header describes it; nothing checked yet but the JSON types.
struct Record {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Receives the header's JSON events. It follows the one structure the format allows, so anything
/// else, however deep or odd, is refused at its first token.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string where) : where_(std::move(where)) {}

  std::vector<Record> records;
  std::map<std::string, std::string, std::less<>> metadata;

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is no 64-bit integer");
  }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(uint64_t value) override {
    if (place_ != Place::shape && place_ != Place::offsets) unexpected("a number");
    if (value > kMaxNumber) fail("{}: number {} is too large", at(), value);
    if (place_ == Place::shape) {
      auto& shape = records.back().shape;
      if (shape.size() == kMaxRank) fail("{}: more than {} dimensions", at(), kMaxRank);
      shape.push_back(static_cast<int64_t>(value));
    } else {
      if (n_offsets_ == 2) fail("{}: data_offsets must be two numbers", at());
      (n_offsets_ == 0 ? records.back().begin : records.back().end) = value;
      ++n_offsets_;
    }
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      if (!metadata.emplace(key_, text).second) {
        fail("{}: metadata key '{}' twice", where_, printable(key_));
      }
    } else if (place_ == Place::tensor && key_ == "dtype") {
      records.back().dtype = text;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool key(std::string& text) override {
    key_ = text;
    if (place_ == Place::tensor) {
      const bool known = key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
      if (!known) fail("{}: unknown key '{}'", at(), printable(key_));
      if (std::find(fields_.begin(), fields_.end(), key_) != fields_.end()) {
        fail("{}: key '{}' twice", at(), key_);
      }
      fields_.push_back(key_);
    }
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::top && key_ == "__metadata__") {
      if (std::exchange(has_metadata_, true)) fail("{}: __metadata__ twice", where_);
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      records.push_back({.name = key_, .dtype = {}, .shape = {}});
      fields_.clear();
      n_offsets_ = 0;
      place_ = Place::tensor;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor && fields_.size() != 3) {
      fail("{}: needs the keys dtype, shape and data_offsets", at());
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor || key_ == "dtype") unexpected("an array");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && n_offsets_ != 2) {
      fail("{}: data_offsets must be two numbers", at());
    }
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    fail("{}: header is no JSON at byte {}: {}", where_, position, printable(error.what(), 160));
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };

  std::string at() const {
    switch (place_) {
      case Place::outside:
      case Place::top: return where_;
      case Place::metadata: return where_ + ": __metadata__";
      default: return fmt::format("{}: tensor '{}'", where_, printable(records.back().name));
    }
  }

  [[noreturn]] void unexpected(std::string_view what) const {
    fail("{}: found {} as the value of '{}'", at(), what, printable(key_));
  }

  std::string where_;
  Place place_ = Place::outside;
  std::string key_;                  // the last key read
  std::vector<std::string> fields_;  // keys of the current tensor so far
  int n_offsets_ = 0;
  bool has_metadata_ = false;
};

std::string_view read_header(std::span<const std::byte> file, const std::string& where) {
  // Only what cannot be right gives a reason to look: a length may begin like another format.
  const auto refuse = [&] {
    refuse_other_kind({reinterpret_cast<const char*>(file.data()), file.size()}, where);
  };
  if (file.size() < kLengthField) {
    refuse();
    fail("{}: {} bytes, too short for a safetensors file", where, file.size());
  }
  uint64_t length = 0;  // little-endian, as is every machine this runs on
  std::memcpy(&length, file.data(), kLengthField);
  if (length > file.size() - kLengthField) refuse();
  if (length > kMaxHeader) fail("{}: header of {} bytes, at most {}", where, length, kMaxHeader);
  if (length > file.size() - kLengthField) {
    fail("{}: truncated: header of {} bytes in a file of {}; download it again", where, length,
         file.size());
  }
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + kLengthField,
                                static_cast<size_t>(length));
  if (header.empty() || header.front() != '{') {
    refuse();
    fail("{}: header does not begin with '{{'", where);
  }
  const size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') fail("{}: header does not end with '}}' and spaces", where);
  return header;
}

/// Bytes a tensor of this type and shape takes. Overflow is an error even where a zero follows.
uint64_t bytes_of(const Record& record, const std::string& where) {
  const auto* const type =
      std::find_if(kStoredTypes.begin(), kStoredTypes.end(),
                   [&](const StoredType& t) { return t.name == record.dtype; });
  if (type == kStoredTypes.end()) fail("{}: unknown dtype '{}'", where, printable(record.dtype));
  uint64_t bits = type->bits;
  for (const int64_t size : record.shape) {
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(size), &bits)) {
      fail("{}: shape [{}] overflows 64 bits", where, fmt::join(record.shape, ", "));
    }
  }
  if (bits % 8 != 0) fail("{}: {} bits are no whole number of bytes", where, bits);
  return bits / 8;
}

/// A file that was cut off lacks the end of its data, whatever else its header says.
void check_complete(const std::vector<Record>& records, size_t header_size, uint64_t data_size,
                    const std::string& where) {
  uint64_t end = 0;
  for (const Record& record : records) end = std::max(end, record.end);
  if (end <= data_size) return;
  const uint64_t before = kLengthField + header_size;
  fail("{}: truncated: {} of {} bytes are there; download it again", where, before + data_size,
       before + end);
}

void check_range(const Record& record, uint64_t data_size, const std::string& where) {
  if (record.begin > record.end) {
    fail("{}: bytes {} to {} of {} bytes of data", where, record.begin, record.end, data_size);
  }
  const uint64_t expected = bytes_of(record, where);
  if (record.end - record.begin != expected) {
    fail("{}: {} bytes, expected {} for {} [{}]", where, record.end - record.begin, expected,
         record.dtype, fmt::join(record.shape, ", "));
  }
}

/// In order of their offsets, the tensors must cover the data without hole or overlap.
void check_tiling(std::vector<Record>& records, uint64_t data_size, const std::string& where) {
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const Record& record : records) {
    if (record.begin != covered) {
      fail("{}: tensor '{}' begins at byte {}, expected {}: {}", where, printable(record.name),
           record.begin, covered, record.begin < covered ? "tensors overlap" : "unused bytes");
    }
    covered = record.end;
  }
  if (covered != data_size) {
    fail("{}: {} bytes after the last tensor", where, data_size - covered);
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::string where = "[safetensors] " + path.string();
  const std::string_view header = read_header(file_.bytes(), where);
  refuse_zero_byte(header, where);
  HeaderReader reader(where);
  nlohmann::json::sax_parse(header.begin(), header.end(), &reader);

  const auto data = file_.bytes().subspan(kLengthField + header.size());
  check_complete(reader.records, header.size(), data.size(), where);
  for (const Record& record : reader.records) {
    const std::string tensor = fmt::format("{}: tensor '{}'", where, printable(record.name));
    check_range(record, data.size(), tensor);
    const auto bytes = data.subspan(record.begin, record.end - record.begin);
    if (!tensors_.try_emplace(record.name, StoredTensor{record.dtype, record.shape, bytes})
             .second) {
      fail("{} is described twice", tensor);
    }
  }
  check_tiling(reader.records, data.size(), where);
  metadata_ = std::move(reader.metadata);
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail("[safetensors] {}: no tensor '{}'", path_.string(), printable(name));
  }
  return found->second;
}

}  // namespace unmask
