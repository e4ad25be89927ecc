// Writes a packed model (packed_file.h): part after part, the directory behind them.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "io/containers/tensor_directory.h"

namespace unmask {

class PackedWriter {
 public:
  /// `type` and `source` as PackedFile gives them back.
  PackedWriter(std::string_view type, std::string_view source, std::ostream& out);
  ~PackedWriter();

  void add_file(const std::string& name, std::string_view content);
  /// Of the tensor its bytes, dtype, shape and whether it lies in panels.
  void add_tensor(const std::string& name, const StoredTensor& tensor);
  /// Writes description and directory; nothing may follow. Returns the bytes of the file.
  int64_t finish();

 private:
  struct Contents;
  void put(std::span<const std::byte> bytes);
  void align(uint64_t alignment);

  std::ostream& out_;
  uint64_t position_ = 0;
  std::unique_ptr<Contents> contents_;
};

}  // namespace unmask
