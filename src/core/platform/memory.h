// How much memory there is and how much was used, as the operating system says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace unmask {

/// Bytes that the system can hand out without swapping, or what a limit of a control group (a
/// container, a batch job) leaves where that is less; nothing where neither is told. `root`: where
/// /proc and /sys are, on Linux.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

/// The largest resident size that this process ever had, in bytes.
int64_t peak_memory();

constexpr size_t kHugePage = size_t{2} << 20;  // of x86-64 and ARM64, with small ones of 4 KiB

/// A hint to back whole pages of memory with large ones; what a system does not do is no error.
void prefer_huge_pages(void* data, size_t bytes);

}  // namespace unmask
