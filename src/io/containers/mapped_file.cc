#include "io/containers/mapped_file.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include "core/error.h"
#include "io/containers/open_file.h"

namespace unmask {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const OpenFile file(path);  // the mapping outlives it
  if (file.size() == 0) fail("[file] {}: is empty; download it again", path.string());
  void* data = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) fail_on_file(path, errno);
  data_ = static_cast<std::byte*>(data);
  size_ = file.size();
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
