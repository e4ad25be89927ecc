#include "io/containers/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "core/error.h"

namespace unmask {

namespace {

/// Closes a file descriptor when it leaves scope: the mapping outlives it.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail_with(int code, const std::filesystem::path& path) {
  switch (code) {
    case ENOENT:
      if (std::filesystem::is_symlink(path)) {
        fail("[file] {}: a link to a file that is not there; download it again", path.string());
      }
      fail("[file] {}: no such file; check the path", path.string());
    case EACCES: fail("[file] {}: permission denied; make it readable", path.string());
    default: fail("[file] {}: {}", path.string(), std::generic_category().message(code));
  }
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer; regular files ignore it.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) fail_with(errno, path);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) fail_with(errno, path);
  if (S_ISDIR(status.st_mode)) fail("[file] {}: is a directory, expected a file", path.string());
  if (!S_ISREG(status.st_mode)) fail("[file] {}: is no regular file", path.string());
  if (status.st_size == 0) fail("[file] {}: is empty; download it again", path.string());
  const auto size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (data == MAP_FAILED) fail_with(errno, path);
  data_ = static_cast<std::byte*>(data);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty()) return;
  const auto offset = static_cast<size_t>(part.data() - data_);
  UNMASK_CHECK(part.data() >= data_ && offset <= size_ && part.size() <= size_ - offset,
               "released bytes must lie inside the mapping");
  // Only whole pages: the first and the last one may hold bytes of a neighbour still in use.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + part.size()) / page * page;
  if (begin >= end) return;
  ::madvise(data_ + begin, end - begin, MADV_DONTNEED);  // a hint; failing is harmless
}

}  // namespace unmask
