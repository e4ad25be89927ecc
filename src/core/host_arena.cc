#include "core/host_arena.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/platform/memory.h"

namespace unmask {

namespace {

constexpr size_t kBlockBytes = 16 * kHugePage;
constexpr size_t kLine = 64;

std::shared_ptr<std::byte> new_block() {
  void* data = std::aligned_alloc(kHugePage, kBlockBytes);
  if (data == nullptr) fail("out of memory: could not allocate {} bytes", kBlockBytes);
  prefer_huge_pages(data, kBlockBytes);
  return {static_cast<std::byte*>(data), [](void* p) { std::free(p); }};
}

}  // namespace

Buffer HostArena::allocate(size_t bytes) {
  // What would leave much of a block unused gets huge pages of its own.
  if (bytes > kBlockBytes / 4) return allocate_host(bytes);
  const std::lock_guard lock(mutex_);
  if (block_ == nullptr || bytes > kBlockBytes - used_) {
    block_ = new_block();
    used_ = 0;
  }
  std::byte* data = block_.get() + used_;
  used_ += (bytes + kLine - 1) / kLine * kLine;
  std::memset(data, 0, bytes);
  return {data, bytes, [block = block_](void*) {}};
}

}  // namespace unmask
