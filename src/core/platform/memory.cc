#include "core/platform/memory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <sys/resource.h>

namespace unmask {

namespace {

std::optional<int64_t> meminfo_available() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    int64_t kib = 0;
    if (key == "MemAvailable:" && file >> kib) return kib * 1024;
    file.ignore(256, '\n');
  }
  return std::nullopt;
}

/// The limit of this process's container (cgroup v2); unlimited reads "max", which is no number.
std::optional<int64_t> container_limit() {
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t bytes = 0;
  return file >> bytes ? std::optional(bytes) : std::nullopt;
}

}  // namespace

std::optional<int64_t> available_memory() {
  const auto free = meminfo_available();
  const auto limit = container_limit();
  if (free && limit) return std::min(*free, *limit);
  return free ? free : limit;
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

}  // namespace unmask
