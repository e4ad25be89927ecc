#include "io/containers/open_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "core/error.h"

namespace unmask {

namespace fs = std::filesystem;

void fail_on_file(const fs::path& path, int error) {
  const std::string where = "[file] " + path.string();
  std::error_code ignored;
  if (error == ENOENT && fs::is_symlink(path, ignored)) {
    fail("{}: a link to a file that is not there; download it again", where);
  }
  if (error == ENOENT) fail("{}: no such file; check the path", where);
  if (error == EACCES) fail("{}: permission denied; make it readable", where);
  fail("{}: {}", where, std::generic_category().message(error));
}

bool may_exist(const fs::path& path) {
  std::error_code error;
  const fs::file_status found = fs::status(path, error);
  return found.type() != fs::file_type::not_found || fs::is_symlink(path, error);
}

// O_NONBLOCK: opening a pipe must not wait for a writer; regular files ignore it.
OpenFile::OpenFile(const fs::path& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail_on_file(path, errno);
  struct stat found {};
  const int error = ::fstat(descriptor_, &found) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(found.st_mode)) {
    size_ = static_cast<size_t>(found.st_size);
    return;
  }
  ::close(descriptor_);
  if (error != 0) fail_on_file(path, error);
  fail("[file] {}: is {}, no regular file", path.string(),
       S_ISDIR(found.st_mode) ? "a directory" : "a device or a pipe");
}

OpenFile::~OpenFile() { ::close(descriptor_); }

std::string OpenFile::read() const {
  std::string content(size_, '\0');
  for (size_t at = 0; at < size_;) {
    const ssize_t got =
        ::pread(descriptor_, content.data() + at, size_ - at, static_cast<off_t>(at));
    if (got < 0 && errno != EINTR) fail_on_file(path_, errno);
    if (got == 0) fail("[file] {}: became shorter while it was read", path_.string());
    at += static_cast<size_t>(std::max<ssize_t>(got, 0));
  }
  return content;
}

}  // namespace unmask
