// Files that commands write their results to.
#pragma once

#include <filesystem>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// Bytes to an open file. What fails once stays failed: see error().
class DescriptorBuffer : public std::streambuf {
 public:
  explicit DescriptorBuffer(int descriptor);
  int error() const { return error_; }  // of errno; 0: none

 protected:
  int_type overflow(int_type c) override;
  int sync() override;

 private:
  int descriptor_;
  int error_ = 0;
  std::vector<char> bytes_;
};

/// Unlinks what OutputFiles have not committed. For signal handlers.
void remove_temporaries() noexcept;

/// A regular file appears under its name only when it is complete, with the mode it had before; the
/// target of a symbolic link is replaced, not the link. What is no regular file (a device, a pipe,
/// an open file below /dev/fd) is written into.
class OutputFile {
 public:
  /// Throws Error when nothing can be written there. May wait for the reader of a named pipe.
  explicit OutputFile(std::filesystem::path path);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  std::ostream& stream() { return stream_; }
  /// Throws Error when something could not be written.
  void commit();

 private:
  int open_target();
  int open_temporary();
  void close();
  void drop_temporary();
  [[noreturn]] void refuse(int error) const;

  std::filesystem::path path_;  // as given
  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty where the target itself is written into
  int descriptor_;
  DescriptorBuffer buffer_;
  std::ostream stream_;
};

/// The whole content of an OutputFile.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace unmask
