#include "io/containers/gguf.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "io/containers/file_kind.h"
#include "io/containers/packed_file.h"

namespace unmask {

namespace {

constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 20;
// Smallest records: a key of one byte with a one-byte value; a name of one byte with one dimension.
constexpr uint64_t kMinKeyBytes = 14;
constexpr uint64_t kMinTensorBytes = 33;
constexpr size_t kMaxKeyLength = 65535;
constexpr size_t kMaxNameLength = 63;
constexpr uint32_t kMaxDims = 4;
constexpr uint64_t kMaxSize = uint64_t{1} << 40;
constexpr uint64_t kMaxAlignment = 1 << 20;

constexpr std::array<std::string_view, 13> kTypeNames{
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

constexpr std::array<GgmlType, 16> kGgmlTypes{{
    {0, "F32", 1, 4},
    {1, "F16", 1, 2},
    {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},
    {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},
    {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},
    {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},
    {20, "IQ4_NL", 32, 18},
    {23, "IQ4_XS", 256, 136},
    {30, "BF16", 1, 2},
    {39, "MXFP4", 32, 17},
}};

struct OtherType {
  uint32_t id;
  std::string_view name;
};
/// Types that ggml has, too; none of them is read.
constexpr std::array<OtherType, 19> kOtherTypes{{
    {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {24, "I8"},     {25, "I16"},
    {26, "I32"},   {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},  {34, "TQ1_0"},
    {35, "TQ2_0"}, {40, "NVFP4"}, {41, "Q1_0"},    {42, "Q2_0"},
}};

/// Reads fields one after the other and never past the end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, std::string where)
      : file_(file), where_(std::move(where)) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return file_.size() - position_; }
  const std::string& where() const { return where_; }

  std::span<const std::byte> take(uint64_t count, std::string_view what) {
    if (count > remaining()) {
      fail("{}: {} of {} bytes at byte {}, but only {} follow", where_, what, count, position_,
           remaining());
    }
    const auto bytes = file_.subspan(position_, count);
    position_ += count;
    return bytes;
  }

  template <typename T>
  T number(std::string_view what) {
    T value;  // little-endian, as is every machine this runs on
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view text(std::string_view what) {
    const auto length = number<uint64_t>(what);
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// A count of records of at least `least` bytes each, and at most `limit` of them.
  uint64_t count(std::string_view what, uint64_t least, uint64_t limit) {
    const auto found = number<uint64_t>(what);
    // What follows the count is at most what is left now, which is enough to bound memory.
    if (found > remaining() / least || found > limit) {
      fail("{}: {} {} in a file of {} bytes", where_, found, what, file_.size());
    }
    return found;
  }

 private:
  std::span<const std::byte> file_;
  std::string where_;
  uint64_t position_ = 0;
};

/// A name as a key of one of the maps: not empty, not too long, no NUL.
std::string read_name(Cursor& in, std::string_view what, size_t limit) {
  const std::string_view name = in.text(what);
  if (name.empty() || name.size() > limit || name.find('\0') != std::string_view::npos) {
    fail("{}: {} '{}' of {} bytes, expected 1 to {} without NUL", in.where(), what, printable(name),
         name.size(), limit);
  }
  return std::string(name);
}

GgufType read_type(Cursor& in, const std::string& key) {
  const auto id = in.number<uint32_t>("value type");
  if (id > static_cast<uint32_t>(GgufType::f64)) {
    fail("{}: key '{}' has the unknown value type {}", in.where(), printable(key), id);
  }
  return static_cast<GgufType>(id);
}

bool read_bool(Cursor& in) {
  const auto byte = in.number<uint8_t>("boolean");
  if (byte > 1) fail("{}: boolean of value {}", in.where(), byte);
  return byte == 1;
}

size_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::i16: return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32: return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64: return 8;
    case GgufType::string:
    case GgufType::array: break;
  }
  return 0;
}

GgufArray read_array(Cursor& in, const std::string& key) {
  const GgufType element = read_type(in, key);
  if (element == GgufType::array) {
    fail("{}: key '{}' is an array of arrays", in.where(), printable(key));
  }
  // A string takes at least its 8-byte length.
  const size_t least = element == GgufType::string ? sizeof(uint64_t) : scalar_bytes(element);
  GgufArray array{element, in.count("array elements", least, in.remaining()), {}, {}};
  if (element == GgufType::string) {
    array.strings.reserve(array.count);
    for (uint64_t i = 0; i < array.count; ++i) array.strings.push_back(in.text("string"));
  } else {
    array.bytes = in.take(array.count * least, "array");
  }
  return array;
}

GgufValue read_value(Cursor& in, const std::string& key) {
  const GgufType type = read_type(in, key);
  const auto scalar = [&]<typename Stored>(Stored) -> GgufValue {
    const auto value = in.number<Stored>("value");
    if constexpr (std::is_floating_point_v<Stored>) {
      return {type, static_cast<double>(value)};
    } else if constexpr (std::is_signed_v<Stored>) {
      return {type, static_cast<int64_t>(value)};
    } else {
      return {type, static_cast<uint64_t>(value)};
    }
  };
  switch (type) {
    case GgufType::u8: return scalar(uint8_t{});
    case GgufType::i8: return scalar(int8_t{});
    case GgufType::u16: return scalar(uint16_t{});
    case GgufType::i16: return scalar(int16_t{});
    case GgufType::u32: return scalar(uint32_t{});
    case GgufType::i32: return scalar(int32_t{});
    case GgufType::u64: return scalar(uint64_t{});
    case GgufType::i64: return scalar(int64_t{});
    case GgufType::f32: return scalar(float{});
    case GgufType::f64: return scalar(double{});
    case GgufType::boolean: return {type, read_bool(in)};
    case GgufType::string: return {type, in.text("string")};
    case GgufType::array: break;
  }
  return {type, read_array(in, key)};
}

/// What the directory says of a tensor; the offset counts from the start of the data.
struct TensorEntry {
  std::string name;
  const GgmlType* type = nullptr;
  std::vector<int64_t> sizes;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// Bytes of a tensor whose sizes are in range; every product is checked.
uint64_t bytes_of(const TensorEntry& record, const std::string& where) {
  if (record.sizes.front() % record.type->block_elements != 0) {
    fail("{}: rows of {} elements, expected a multiple of {} for {}", where, record.sizes.front(),
         record.type->block_elements, record.type->name);
  }
  uint64_t bytes = record.type->block_bytes;
  for (size_t i = 0; i < record.sizes.size(); ++i) {
    const auto size = static_cast<uint64_t>(record.sizes[i]);
    const uint64_t factor = i == 0 ? size / record.type->block_elements : size;
    if (__builtin_mul_overflow(bytes, factor, &bytes)) {
      fail("{}: sizes {} overflow 64 bits", where, fmt::join(record.sizes, " x "));
    }
  }
  return bytes;
}

[[noreturn]] void refuse_type(uint32_t id, const std::string& where) {
  for (const OtherType& other : kOtherTypes) {
    if (other.id != id) continue;
    fail(
        "{}: is stored as {}, which cannot be read; take a file of another type, e.g. Q4_K_M, "
        "Q8_0 or BF16",
        where, other.name);
  }
  fail("{}: unknown ggml type {}", where, id);
}

TensorEntry read_tensor(Cursor& in) {
  TensorEntry record{.name = read_name(in, "tensor name", kMaxNameLength), .sizes = {}};
  const std::string where = fmt::format("{}: tensor '{}'", in.where(), printable(record.name));
  const auto n_dims = in.number<uint32_t>("number of dimensions");
  if (n_dims < 1 || n_dims > kMaxDims) {
    fail("{}: {} dimensions, expected 1 to {}", where, n_dims, kMaxDims);
  }
  for (uint32_t i = 0; i < n_dims; ++i) {
    const auto size = in.number<uint64_t>("dimension");
    if (size < 1 || size >= kMaxSize) {
      fail("{}: a dimension of {}, expected 1 to 2^40 - 1", where, size);
    }
    record.sizes.push_back(static_cast<int64_t>(size));
  }
  const auto id = in.number<uint32_t>("tensor type");
  record.type = std::find_if(kGgmlTypes.begin(), kGgmlTypes.end(),
                             [&](const GgmlType& type) { return type.id == id; });
  if (record.type == kGgmlTypes.end()) refuse_type(id, where);
  record.offset = in.number<uint64_t>("tensor offset");
  record.bytes = bytes_of(record, where);
  return record;
}

uint64_t alignment_of(const std::map<std::string, GgufValue, std::less<>>& metadata,
                      const std::string& where) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  if (found->second.type != GgufType::u32) {
    fail("{}: general.alignment is {}, expected u32", where, gguf_type_name(found->second.type));
  }
  const auto alignment = std::get<uint64_t>(found->second.value);
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > kMaxAlignment) {
    fail("{}: general.alignment {}, expected a power of two up to {}", where, alignment,
         kMaxAlignment);
  }
  return alignment;
}

void check_ranges(std::vector<TensorEntry>& records, uint64_t data_size, uint64_t alignment,
                  const std::string& where) {
  for (const TensorEntry& record : records) {
    if (record.offset % alignment != 0) {
      fail("{}: tensor '{}' at offset {}, expected a multiple of {}", where, printable(record.name),
           record.offset, alignment);
    }
    if (record.offset > data_size || record.bytes > data_size - record.offset) {
      fail("{}: tensor '{}' has {} bytes at offset {} of {} bytes of data", where,
           printable(record.name), record.bytes, record.offset, data_size);
    }
  }
  std::sort(records.begin(), records.end(),
            [](const TensorEntry& a, const TensorEntry& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < records.size(); ++i) {
    const TensorEntry& before = records[i - 1];
    if (records[i].offset - before.offset < before.bytes) {
      fail("{}: tensors '{}' and '{}' overlap", where, printable(before.name),
           printable(records[i].name));
    }
  }
}

/// The metadata inside a packed model, in another mapping of the same file.
std::span<const std::byte> packed_metadata(const std::filesystem::path& path,
                                           const MappedFile& file) {
  const PackedDescription packed(path);
  const auto found = packed.files().find(kPackedMetadata);
  if (found == packed.files().end()) fail("[gguf] {}: holds no GGUF metadata", path.string());
  return file.bytes().subspan(packed.offset_of(found->second), found->second.size());
}

uint32_t read_version(Cursor& in) {
  const auto magic = in.take(4, "magic");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) fail("{}: is no GGUF file", in.where());
  const auto version = in.number<uint32_t>("version");
  if (version != 2 && version != 3) {
    fail("{}: GGUF version {}, expected 2 or 3 in little-endian order", in.where(), version);
  }
  return version;
}

}  // namespace

const GgmlType& ggml_type(std::string_view name) {
  const auto* found = std::find_if(kGgmlTypes.begin(), kGgmlTypes.end(),
                                   [&](const GgmlType& type) { return type.name == name; });
  UNMASK_CHECK(found != kGgmlTypes.end(), "a type that GGUF files have");
  return *found;
}

std::string_view gguf_type_name(GgufType type) { return kTypeNames[static_cast<size_t>(type)]; }

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const auto bytes = is_packed_file(path) ? packed_metadata(path, file_) : file_.bytes();
  Cursor in(bytes, "[gguf] " + path.string());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with("GGUF")) refuse_other_kind(text, in.where());
  version_ = read_version(in);
  const uint64_t n_tensors = in.count("tensors", kMinTensorBytes, kMaxTensors);
  const uint64_t n_keys = in.count("keys", kMinKeyBytes, kMaxKeys);
  for (uint64_t i = 0; i < n_keys; ++i) {
    std::string key = read_name(in, "key", kMaxKeyLength);
    GgufValue value = read_value(in, key);
    const auto [it, inserted] = metadata_.try_emplace(std::move(key), std::move(value));
    if (!inserted) fail("{}: key '{}' twice", in.where(), printable(it->first));
  }
  std::vector<TensorEntry> records;
  for (uint64_t i = 0; i < n_tensors; ++i) records.push_back(read_tensor(in));

  const uint64_t alignment = alignment_of(metadata_, in.where());
  const uint64_t padding = (alignment - in.position() % alignment) % alignment;
  if (!records.empty()) in.take(padding, "padding before the data");
  const auto data = bytes.subspan(in.position());
  check_ranges(records, data.size(), alignment, in.where());
  for (TensorEntry& record : records) {
    const auto [it, inserted] = tensors_.try_emplace(
        std::move(record.name), GgufTensor{record.type, std::move(record.sizes),
                                           data.subspan(record.offset, record.bytes)});
    if (!inserted) fail("{}: tensor '{}' twice", in.where(), printable(it->first));
  }
}

}  // namespace unmask
