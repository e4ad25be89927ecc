// The lines of earlier conversations, in a file that only their owner may read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace unmask {

/// unmask/`name` below XDG_STATE_HOME or ~/.local/state; nothing where neither is known.
std::optional<std::filesystem::path> state_file(const std::string& name);

/// JSON strings, one a line, so that several conversations can append to it at a time. What cannot
/// be read or written is left out: a history is no reason to fail.
class LineHistory {
 public:
  static constexpr size_t kMost = 1000;  // lines

  /// Without a file lines are forgotten.
  explicit LineHistory(std::optional<std::filesystem::path> file) : file_(std::move(file)) {}

  /// The last lines, the oldest first. A file with twice as many is cut to them.
  std::vector<std::string> load() const;
  void add(const std::string& line) const;

 private:
  std::optional<std::filesystem::path> file_;
};

}  // namespace unmask
