// Files opened for reading, with the reason where they cannot be.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace unmask {

/// A regular file, open as long as this lives.
class OpenFile {
 public:
  /// Throws Error "[file] PATH: REASON" when it cannot be opened or is no regular file; never waits
  /// for the writer of a pipe.
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const { return descriptor_; }
  size_t size() const { return size_; }
  /// The whole content. Throws Error when it cannot be read or became shorter meanwhile.
  std::string read() const;

 private:
  std::filesystem::path path_;
  int descriptor_;
  size_t size_ = 0;
};

/// Throws Error "[file] PATH: REASON" for an error number of the system.
[[noreturn]] void fail_on_file(const std::filesystem::path& path, int error);

/// False only where the system says that there is no such file: what cannot be looked at, a loop of
/// links or a folder of somebody else, may be there, and opening it says why not.
bool may_exist(const std::filesystem::path& path);

}  // namespace unmask
