#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "core/error.h"

namespace unmask {

namespace {

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double thread_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

double seconds_per_thread(int threads) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID) / threads; }

Spread spread_of(std::vector<double> values) {
  UNMASK_CHECK(!values.empty(), "a median of nothing");
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

}  // namespace unmask
