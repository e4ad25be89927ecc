#include "core/platform/memory.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>

namespace unmask {

namespace {

namespace fs = std::filesystem;

/// The number behind `key` in a file of keys and numbers.
std::optional<int64_t> value_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    int64_t value = 0;
    if (word == key && file >> value) return value;
    file.ignore(256, '\n');
  }
  return std::nullopt;
}

std::optional<int64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  int64_t bytes = 0;
  return file >> bytes ? std::optional(bytes) : std::nullopt;  // unlimited reads "max"
}

/// How a version of control groups names things.
struct GroupFiles {
  const char* folder;
  const char* limit;
  const char* used;
  const char* reclaimable;  // pages of files that nobody needs, in memory.stat
};
constexpr GroupFiles kVersion1{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file"};
constexpr GroupFiles kVersion2{"", "memory.max", "memory.current", "inactive_file"};

/// What the limits of a group and of those around it leave.
std::optional<int64_t> left_in_group(const fs::path& mount, const fs::path& group,
                                     const GroupFiles& files) {
  std::optional<int64_t> least;
  for (fs::path at = group.relative_path();; at = at.parent_path()) {
    const fs::path folder = mount / files.folder / at;
    if (const auto limit = number_in(folder / files.limit)) {
      const int64_t used = number_in(folder / files.used).value_or(0) -
                           value_of(folder / "memory.stat", files.reclaimable).value_or(0);
      const int64_t left = std::max<int64_t>(0, *limit - std::max<int64_t>(0, used));
      least = std::min(least.value_or(left), left);
    }
    if (at.empty()) return least;
  }
}

/// What this process's control groups leave. Lines read "0::/path" or "4:memory:/path".
std::optional<int64_t> left_in_groups(const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  std::optional<int64_t> least;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const bool version2 = names == ",,";
    if (!version2 && names.find(",memory,") == std::string::npos) continue;
    const auto left = left_in_group(root / "sys/fs/cgroup", line.substr(second + 1),
                                    version2 ? kVersion2 : kVersion1);
    if (left) least = std::min(least.value_or(*left), *left);
  }
  return least;
}

}  // namespace

std::optional<int64_t> available_memory(const fs::path& root) {
  auto free = value_of(root / "proc/meminfo", "MemAvailable:");
  if (free) *free *= 1024;  // it is told in KiB
  const auto left = left_in_groups(root);
  if (free && left) return std::min(*free, *left);
  return free ? free : left;
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

void prefer_huge_pages(void* data, size_t bytes) { madvise(data, bytes, MADV_HUGEPAGE); }

}  // namespace unmask
