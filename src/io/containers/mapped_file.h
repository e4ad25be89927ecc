// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace unmask {

class MappedFile {
 public:
  /// Maps the whole file. Throws Error when it cannot be opened, is no regular file or is empty.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// Tells the kernel that `part` will not be read again soon, so that its pages need not count as
  /// memory of this process. Reading it later is slow, not wrong.
  void release(std::span<const std::byte> part) const;

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace unmask
