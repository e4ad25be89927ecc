// Writes the GGUF container, version 3: metadata, the directory of tensors, then their data one
// after the other, so that no tensor needs to be in memory as a whole.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/containers/gguf.h"

namespace unmask {

class GgufWriter {
 public:
  void add(std::string_view key, uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, const std::vector<std::string>& values);
  void add(std::string_view key, const std::vector<int32_t>& values);
  /// A value as it was read.
  void add(std::string_view key, const GgufValue& value);
  /// A tensor of a type that GgufFile reads, e.g. "Q8_0"; `shape` slowest-running first. Throws
  /// LogicError when its rows are no whole blocks.
  void add_tensor(std::string_view name, std::string_view type, std::span<const int64_t> shape);
  /// Bytes of the data of all tensors, without what fills them up to the alignment.
  int64_t data_bytes() const { return data_bytes_; }

  /// Writes everything but the data, which follows by write(), tensor by tensor in order.
  void write_header(std::ostream& out);
  /// Writes further bytes of the data; what fills up the end of a tensor is added.
  void write(std::span<const std::byte> bytes, std::ostream& out);

 private:
  void begin(std::string_view key, GgufType type);

  std::string keys_, tensors_;
  uint64_t n_keys_ = 0;
  std::vector<uint64_t> sizes_;  // in bytes, of each tensor
  uint64_t offset_ = 0;          // of the next tensor
  int64_t data_bytes_ = 0;
  size_t writing_ = 0;    // tensor
  uint64_t written_ = 0;  // bytes of it
};

}  // namespace unmask
