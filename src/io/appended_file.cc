#include "io/appended_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

namespace {

constexpr size_t kMaxBytes = size_t{4} << 30;

}  // namespace

std::string complete_lines(const std::filesystem::path& path) {
  std::string text = read_text_file(path, kMaxBytes);
  text.resize(text.rfind('\n') + 1);
  return text;
}

AppendedFile::AppendedFile(std::string area, std::filesystem::path path, Use use)
    : area_(std::move(area)), path_(std::move(path)) {
  try {
    open_alone(use);
    read_lines(use);
  } catch (...) {
    if (descriptor_ >= 0) close(descriptor_);  // no destructor runs
    throw;
  }
}

AppendedFile::~AppendedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

AppendedFile::AppendedFile(AppendedFile&& other) noexcept
    : area_(std::move(other.area_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      lines_(std::move(other.lines_)) {}

void AppendedFile::refuse(std::string_view what) const {
  fail("{} {}: {}: {}", area_, printable(path_.string(), 4096), what, std::strerror(errno));
}

void AppendedFile::open_alone(Use use) {
  const int flags = use == Use::read ? O_RDONLY : O_RDWR | O_APPEND | O_CREAT;
  descriptor_ = open(path_.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) refuse("cannot be opened");
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) refuse("cannot be locked");
  fail(ErrorCode::results_exist, "{} {}: another process writes its results there", area_,
       printable(path_.string(), 4096));
}

void AppendedFile::read_lines(Use use) {
  lines_ = complete_lines(path_);
  if (use == Use::read) return;
  if (ftruncate(descriptor_, static_cast<off_t>(lines_.size())) != 0) refuse("cannot be written");
}

void AppendedFile::append(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(descriptor_, line.data(), line.size());
    if (written < 0 && errno != EINTR) refuse("cannot be written");
    line.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
}

}  // namespace unmask
