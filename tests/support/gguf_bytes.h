// GGUF files made by hand, so that tests can put any defect into them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/containers/gguf.h"

namespace unmask::testing {

/// `value` as the bytes of a little-endian field.
template <typename T>
std::string field(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string text_field(std::string_view text) {
  return field<uint64_t>(text.size()).append(text);
}

/// Collects keys and tensors, then lays the file out; knows nothing of what it writes.
class GgufWriter {
 public:
  /// `encoded` is the value as stored, without its type.
  GgufWriter& key(std::string_view name, GgufType type, std::string_view encoded) {
    keys_.append(text_field(name)).append(field(static_cast<uint32_t>(type))).append(encoded);
    ++n_keys_;
    return *this;
  }
  GgufWriter& u32(std::string_view name, uint32_t value) {
    return key(name, GgufType::u32, field(value));
  }
  GgufWriter& f32(std::string_view name, float value) {
    return key(name, GgufType::f32, field(value));
  }
  GgufWriter& flag(std::string_view name, bool value) {
    return key(name, GgufType::boolean, field<uint8_t>(value ? 1 : 0));
  }
  GgufWriter& text(std::string_view name, std::string_view value) {
    return key(name, GgufType::string, text_field(value));
  }
  GgufWriter& texts(std::string_view name, const std::vector<std::string>& values) {
    std::string encoded = field(static_cast<uint32_t>(GgufType::string));
    encoded += field<uint64_t>(values.size());
    for (const std::string& value : values) encoded += text_field(value);
    return key(name, GgufType::array, encoded);
  }

  GgufWriter& integers(std::string_view name, const std::vector<int32_t>& values) {
    std::string encoded = field(static_cast<uint32_t>(GgufType::i32));
    encoded += field<uint64_t>(values.size());
    for (const int32_t value : values) encoded += field(value);
    return key(name, GgufType::array, encoded);
  }

  /// F32 with the same value everywhere.
  GgufWriter& tensor(std::string_view name, const std::vector<int64_t>& sizes) {
    size_t bytes = sizeof(float);
    for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
    return tensor(name, sizes, 0, std::string(bytes, '\x3f'));
  }
  /// Of any type; `sizes` fastest-running first.
  GgufWriter& tensor(std::string_view name, const std::vector<int64_t>& sizes, uint32_t type,
                     std::string_view bytes) {
    tensors_ += text_field(name) + field(static_cast<uint32_t>(sizes.size()));
    for (const int64_t size : sizes) tensors_ += field<uint64_t>(static_cast<uint64_t>(size));
    tensors_ += field(type) + field<uint64_t>(data_.size());
    data_ += bytes;
    data_.resize((data_.size() + 31) / 32 * 32, '\x3f');
    ++n_tensors_;
    return *this;
  }

  std::string bytes(uint32_t version = 3) const {
    std::string file = "GGUF" + field(version) + field(n_tensors_) + field(n_keys_);
    file += keys_ + tensors_;
    file.resize((file.size() + 31) / 32 * 32, '\0');
    return file + data_;
  }

 private:
  std::string keys_, tensors_, data_;
  uint64_t n_keys_ = 0;
  uint64_t n_tensors_ = 0;
};

}  // namespace unmask::testing
