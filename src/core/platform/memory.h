// How much memory there is and how much was used, as the operating system says.
#pragma once

#include <cstdint>
#include <optional>

namespace unmask {

/// Bytes that the system can hand out without swapping, or the container's limit where that is
/// less; nothing where neither is told.
std::optional<int64_t> available_memory();

/// The largest resident size that this process ever had, in bytes.
int64_t peak_memory();

}  // namespace unmask
