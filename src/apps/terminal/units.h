// Durations and sizes as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace unmask {

/// "7 s", "2 min 05 s", "1 h 03 min".
std::string format_duration(double seconds);
/// "512 B", "17.0 MiB", "14.9 GiB".
std::string format_bytes(int64_t bytes);
/// "950 FLOP", "12.3 GFLOP", "4.56 PFLOP".
std::string format_operations(double operations);
/// "4,460,000".
std::string format_count(int64_t count);

}  // namespace unmask
