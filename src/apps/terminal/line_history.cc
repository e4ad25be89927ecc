#include "apps/terminal/line_history.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/terminal/output_file.h"
#include "core/error.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

std::string to_line(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

void cut(const fs::path& file, const std::vector<std::string>& lines) {
  try {
    OutputFile out(file);
    for (const std::string& line : lines) out.stream() << to_line(line);
    out.commit();
  } catch (const Error&) {  // it stays long
  }
}

}  // namespace

std::optional<fs::path> state_file(const std::string& name) {
  const auto folder = [](const char* variable) -> fs::path {
    const char* value = std::getenv(variable);
    return value == nullptr || *value != '/' ? fs::path() : fs::path(value);
  };
  fs::path base = folder("XDG_STATE_HOME");
  if (base.empty() && !folder("HOME").empty()) base = folder("HOME") / ".local" / "state";
  if (base.empty()) return std::nullopt;
  return base / "unmask" / name;
}

std::vector<std::string> LineHistory::load() const {
  if (!file_) return {};
  std::ifstream in(*file_, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    const auto text = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (text.is_string()) lines.push_back(text.get<std::string>());
  }
  if (lines.size() <= kMost) return lines;
  const bool too_long = lines.size() >= 2 * kMost;
  lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMost));
  if (too_long) cut(*file_, lines);
  return lines;
}

void LineHistory::add(const std::string& line) const {
  if (!file_) return;
  std::error_code ignored;
  fs::create_directories(file_->parent_path().parent_path(), ignored);
  mkdir(file_->parent_path().c_str(), S_IRWXU);
  const int file = open(file_->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR);
  if (file < 0) return;
  const std::string text = to_line(line);
  // One call, so that lines of two conversations do not mix.
  [[maybe_unused]] const auto written = write(file, text.data(), text.size());
  close(file);
}

}  // namespace unmask
