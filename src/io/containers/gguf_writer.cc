#include "io/containers/gguf_writer.h"

#include <cstring>

#include "core/error.h"

namespace unmask {

namespace {

constexpr uint64_t kAlignment = 32;  // the default, so that no key has to say it
constexpr uint32_t kVersion = 3;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

template <typename T>
void put(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string_view text, std::string& out) {
  put<uint64_t>(text.size(), out);
  out += text;
}

size_t integer_bytes(GgufType type) {
  using enum GgufType;
  if (type == u8 || type == i8) return 1;
  if (type == u16 || type == i16) return 2;
  return type == u32 || type == i32 ? 4 : 8;
}

}  // namespace

void GgufWriter::begin(std::string_view key, GgufType type) {
  put_text(key, keys_);
  put(static_cast<uint32_t>(type), keys_);
  ++n_keys_;
}

void GgufWriter::add(std::string_view key, uint32_t value) {
  begin(key, GgufType::u32);
  put(value, keys_);
}

void GgufWriter::add(std::string_view key, float value) {
  begin(key, GgufType::f32);
  put(value, keys_);
}

void GgufWriter::add(std::string_view key, bool value) {
  begin(key, GgufType::boolean);
  put<uint8_t>(value ? 1 : 0, keys_);
}

void GgufWriter::add(std::string_view key, std::string_view value) {
  begin(key, GgufType::string);
  put_text(value, keys_);
}

void GgufWriter::add(std::string_view key, const std::vector<std::string>& values) {
  begin(key, GgufType::array);
  put(static_cast<uint32_t>(GgufType::string), keys_);
  put<uint64_t>(values.size(), keys_);
  for (const std::string& value : values) put_text(value, keys_);
}

void GgufWriter::add(std::string_view key, const std::vector<int32_t>& values) {
  begin(key, GgufType::array);
  put(static_cast<uint32_t>(GgufType::i32), keys_);
  put<uint64_t>(values.size(), keys_);
  for (const int32_t value : values) put(value, keys_);
}

void GgufWriter::add(std::string_view key, const GgufValue& value) {
  begin(key, value.type);
  if (const auto* array = std::get_if<GgufArray>(&value.value)) {
    put(static_cast<uint32_t>(array->element), keys_);
    put(array->count, keys_);
    for (const std::string_view text : array->strings) put_text(text, keys_);
    keys_.append(reinterpret_cast<const char*>(array->bytes.data()), array->bytes.size());
    return;
  }
  switch (value.type) {
    case GgufType::string: return put_text(std::get<std::string_view>(value.value), keys_);
    case GgufType::boolean: return put<uint8_t>(std::get<bool>(value.value) ? 1 : 0, keys_);
    case GgufType::f32: return put(static_cast<float>(std::get<double>(value.value)), keys_);
    case GgufType::f64: return put(std::get<double>(value.value), keys_);
    default: break;
  }
  // Integers are little-endian: the first bytes of the wide one are the narrow one.
  const auto* wide = std::get_if<int64_t>(&value.value);
  const uint64_t bits =
      wide != nullptr ? static_cast<uint64_t>(*wide) : std::get<uint64_t>(value.value);
  keys_.append(reinterpret_cast<const char*>(&bits), integer_bytes(value.type));
}

void GgufWriter::add_tensor(std::string_view name, std::string_view type,
                            std::span<const int64_t> shape) {
  const GgmlType& known = ggml_type(type);
  UNMASK_CHECK(!shape.empty() && shape.back() % known.block_elements == 0,
               "rows of a tensor are whole blocks");
  put_text(name, tensors_);
  put(static_cast<uint32_t>(shape.size()), tensors_);
  uint64_t bytes = known.block_bytes;
  for (size_t i = shape.size(); i-- > 0;) put(static_cast<uint64_t>(shape[i]), tensors_);
  for (const int64_t size : shape) bytes *= static_cast<uint64_t>(size);
  bytes /= known.block_elements;
  put(known.id, tensors_);
  put(offset_, tensors_);
  offset_ += aligned(bytes);
  data_bytes_ += static_cast<int64_t>(bytes);
  sizes_.push_back(bytes);
}

void GgufWriter::write_header(std::ostream& out) {
  std::string head = "GGUF";
  put(kVersion, head);
  put<uint64_t>(sizes_.size(), head);
  put(n_keys_, head);
  const uint64_t size = head.size() + keys_.size() + tensors_.size();
  out << head << keys_ << tensors_ << std::string(aligned(size) - size, '\0');
}

void GgufWriter::write(std::span<const std::byte> bytes, std::ostream& out) {
  UNMASK_CHECK(writing_ < sizes_.size() && bytes.size() <= sizes_[writing_] - written_,
               "more data than the tensor has");
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  written_ += bytes.size();
  if (written_ < sizes_[writing_]) return;
  out << std::string(aligned(written_) - written_, '\0');
  ++writing_;
  written_ = 0;
}

}  // namespace unmask
