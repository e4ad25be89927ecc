#include "apps/terminal/units.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace unmask {

std::string format_duration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
}

std::string format_bytes(int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string format_operations(double operations) {
  const char* unit = "";
  for (const char* next : {"k", "M", "G", "T", "P", "E"}) {
    if (operations < 999.5) break;
    operations /= 1000;
    unit = next;
  }
  return fmt::format("{:.3g} {}FLOP", operations, unit);
}

std::string format_count(int64_t count) { return fmt::format("{}", fmt::group_digits(count)); }

}  // namespace unmask
