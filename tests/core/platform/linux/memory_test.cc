#include "core/platform/memory.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace unmask {
namespace {

/// A system of files, as /proc and /sys show one.
class System {
 public:
  System& with(const std::string& path, const std::string& content) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    root_.write(path, content);
    return *this;
  }
  std::optional<int64_t> available() const { return available_memory(root_.path()); }

 private:
  testing::TempDir root_;
};

constexpr const char* kMeminfo = "MemTotal:  9000 kB\nMemFree: 1 kB\nMemAvailable:    8000 kB\n";

TEST(Memory, TheSystemSaysWhatItHas) {
  EXPECT_GT(available_memory().value_or(1), 0);
  EXPECT_GT(peak_memory(), int64_t{1} << 20);
}

TEST(Memory, WithoutALimitWhatIsFreeCounts) {
  EXPECT_EQ(System().with("proc/meminfo", kMeminfo).available(), 8000 * 1024);
  EXPECT_EQ(System()
                .with("proc/meminfo", kMeminfo)
                .with("proc/self/cgroup", "0::/\n")
                .with("sys/fs/cgroup/memory.max", "max\n")
                .available(),
            8000 * 1024);
  EXPECT_EQ(System().available(), std::nullopt);
}

TEST(Memory, ALimitLeavesWhatTheGroupDoesNotUse) {
  System system;
  system.with("proc/meminfo", kMeminfo)
      .with("proc/self/cgroup", "1:name=systemd:/x\n0::/jobs/7\n")
      .with("sys/fs/cgroup/jobs/7/memory.max", "5000000\n")
      .with("sys/fs/cgroup/jobs/7/memory.current", "3000000\n");
  EXPECT_EQ(system.available(), 2'000'000);
  system.with("sys/fs/cgroup/jobs/7/memory.stat", "anon 5\ninactive_file 1000000\nactive_file 7\n");
  EXPECT_EQ(system.available(), 3'000'000) << "the kernel drops pages of files first";
  system.with("sys/fs/cgroup/jobs/memory.max", "1000000\n");
  EXPECT_EQ(system.available(), 1'000'000) << "groups around it limit it, too";
}

TEST(Memory, TheFirstVersionOfGroupsCountsAlike) {
  System system;
  system.with("proc/meminfo", kMeminfo)
      .with("proc/self/cgroup", "4:cpu,memory:/box\n3:pids:/box\n")
      .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "700000\n")
      .with("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000\n");
  EXPECT_EQ(system.available(), 0);
}

}  // namespace
}  // namespace unmask
