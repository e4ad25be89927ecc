#include "apps/terminal/output_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/parse_number.h"
#include "core/stop.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr size_t kBufferBytes = size_t{64} << 10;
constexpr int kMostLinks = 40;  // as many as Linux follows

/// Where a chain of symbolic links leads, but for links below /proc: those are open files, and what
/// stands in them is no path to open.
fs::path follow(fs::path path) {
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    const fs::path folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
    if (error) break;
    path = folder / path.filename();
    if (folder.string().starts_with("/proc/") || !fs::is_symlink(path, error)) break;
    const fs::path next = fs::read_symlink(path, error);
    if (error) break;
    path = next.is_absolute() ? next : folder / next;
  }
  return path;
}

/// The number of an open file of this process that `path` names.
std::optional<int> open_file(const fs::path& path) {
  if (path.parent_path().filename() != "fd" || !path.string().starts_with("/proc/")) {
    return std::nullopt;
  }
  return parse_number<int>(path.filename().string());
}

/// Names that a signal handler removes. They belong to OutputFiles, of which a command has two at
/// most.
std::array<std::atomic<const char*>, 8> temporaries{};
static_assert(std::atomic<const char*>::is_always_lock_free);

void remember(const char* name) {
  for (std::atomic<const char*>& slot : temporaries) {
    const char* none = nullptr;
    if (slot.compare_exchange_strong(none, name)) return;
  }
  UNMASK_CHECK(false, "more files are written at a time than can be removed");
}

void forget(const char* name) noexcept {
  for (std::atomic<const char*>& slot : temporaries) {
    const char* expected = name;
    if (slot.compare_exchange_strong(expected, nullptr)) return;
  }
}

/// The entry of a file that was renamed reaches the disk with its folder. Not every file system can
/// do it, and the file is there either way.
void sync_folder(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const int opened = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  fsync(opened);
  close(opened);
}

/// What a new file gets.
mode_t usual_mode() {
  const mode_t hidden = umask(0);
  umask(hidden);
  return 0666 & ~hidden;
}

}  // namespace

DescriptorBuffer::DescriptorBuffer(int descriptor) : descriptor_(descriptor), bytes_(kBufferBytes) {
  setp(bytes_.data(), bytes_.data() + bytes_.size());
}

int DescriptorBuffer::sync() {
  for (const char* at = pbase(); at < pptr() && error_ == 0;) {
    const ssize_t count = ::write(descriptor_, at, static_cast<size_t>(pptr() - at));
    if (count >= 0) {
      at += count;
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  setp(bytes_.data(), bytes_.data() + bytes_.size());
  return error_ == 0 ? 0 : -1;
}

DescriptorBuffer::int_type DescriptorBuffer::overflow(int_type c) {
  if (sync() != 0) return traits_type::eof();
  if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
  return traits_type::not_eof(c);
}

void remove_temporaries() noexcept {
  for (const std::atomic<const char*>& slot : temporaries) {
    if (const char* name = slot.load()) unlink(name);
  }
}

OutputFile::OutputFile(fs::path path)
    : path_(std::move(path)),
      target_(follow(path_)),
      descriptor_(open_target()),
      buffer_(descriptor_),
      stream_(&buffer_) {}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  stream_.flush();  // for the reader of a pipe; a temporary file goes
  close();
  drop_temporary();
}

void OutputFile::drop_temporary() {
  if (temporary_.empty()) return;
  unlink(temporary_.c_str());
  forget(temporary_.c_str());
  temporary_.clear();
}

int OutputFile::open_target() {
  if (const auto number = open_file(target_)) {
    const int copy = fcntl(*number, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) refuse(errno);
    return copy;
  }
  struct stat found {};
  const bool exists = stat(target_.c_str(), &found) == 0;
  if (!exists && errno != ENOENT) refuse(errno);
  if (exists && S_ISDIR(found.st_mode)) refuse(EISDIR);
  if (exists && access(target_.c_str(), W_OK) != 0) refuse(errno);
  if (exists && !S_ISREG(found.st_mode)) {
    const int follows = target_.string().starts_with("/proc/") ? 0 : O_NOFOLLOW;
    const int opened = open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | follows);
    if (opened < 0) refuse(errno);
    return opened;
  }
  const int opened = open_temporary();
  if (fchmod(opened, exists ? found.st_mode & 07777 : usual_mode()) != 0) {
    const int error = errno;
    ::close(opened);
    drop_temporary();
    refuse(error);
  }
  return opened;
}

int OutputFile::open_temporary() {
  std::string name = target_.string() + ".XXXXXX";
  const int opened =
      mkostemp(name.data(), O_CLOEXEC);  // exclusive, under a name nobody can foresee
  if (opened < 0) refuse(errno);
  temporary_ = name;
  remember(temporary_.c_str());
  return opened;
}

void OutputFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void OutputFile::refuse(int error) const {
  if (error == EINTR) throw Stopped{};  // nobody came to read a pipe, and Ctrl-C
  fail("[output] {}: cannot be written: {}", printable(path_.string(), 4096), std::strerror(error));
}

void OutputFile::commit() {
  stream_.flush();
  if (buffer_.error() != 0) refuse(buffer_.error());
  if (!temporary_.empty()) {
    if (fsync(descriptor_) != 0) refuse(errno);
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0) refuse(errno);
    forget(temporary_.c_str());
    temporary_.clear();
    sync_folder(target_);
  }
  close();
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  OutputFile file(path);
  file.stream() << content;
  file.commit();
}

}  // namespace unmask
