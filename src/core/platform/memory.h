// How much memory there is and how much was used, as the operating system says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace unmask {

/// Bytes that the system can hand out without swapping, or what a limit of a control group (a
/// container, a batch job) leaves where that is less; nothing where neither is told. `root`: where
/// /proc and /sys are.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

/// The largest resident size that this process ever had, in bytes.
int64_t peak_memory();

}  // namespace unmask
