#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "core/error.h"

namespace unmask {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Spread spread_of(std::vector<double> values) {
  UNMASK_CHECK(!values.empty(), "a median of nothing");
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

}  // namespace unmask
