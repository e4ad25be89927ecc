#include "core/platform/memory.h"

#include <mach/mach.h>
#include <sys/resource.h>

namespace unmask {

std::optional<int64_t> available_memory(const std::filesystem::path& /*root*/) {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  vm_size_t page_bytes = 0;
  const mach_port_t host = mach_host_self();
  if (host_page_size(host, &page_bytes) != KERN_SUCCESS ||
      host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) !=
          KERN_SUCCESS) {
    return std::nullopt;
  }
  // Inactive pages are those of files and of memory that nobody has touched for long.
  const int64_t free = int64_t{pages.free_count} + int64_t{pages.inactive_count};
  return free * static_cast<int64_t>(page_bytes);
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss};  // macOS counts in bytes
}

/// There are none to ask for: pages have 16 KiB already.
void prefer_huge_pages(void* /*data*/, size_t /*bytes*/) {}

}  // namespace unmask
