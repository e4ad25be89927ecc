// A file of lines that grows, by one process at a time: what is complete stays, whatever ends it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace unmask {

class AppendedFile {
 public:
  enum class Use : uint8_t {
    append,  // made where there is none; what a killed process left of its last line is dropped
    read     // to be read while nobody writes it
  };

  /// Opens a file and takes it for this process, until this goes. `area` begins the messages of
  /// errors. Throws Error when it cannot be opened or written, and (results_exist) while another
  /// process has it.
  AppendedFile(std::string area, std::filesystem::path path, Use use);
  ~AppendedFile();
  AppendedFile(AppendedFile&& other) noexcept;
  AppendedFile& operator=(AppendedFile&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// All complete lines, as they were when this was opened; once.
  std::string take_lines() { return std::move(lines_); }
  /// One line, with its line break. Throws Error when it cannot be written.
  void append(std::string_view line);

 private:
  [[noreturn]] void refuse(std::string_view what) const;
  void open_alone(Use use);
  void read_lines(Use use);

  std::string area_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string lines_;
};

/// The complete lines of a file that another process may be writing.
std::string complete_lines(const std::filesystem::path& path);

}  // namespace unmask
