#include "peak.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace unmask::peak {

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double operations_per_second(bool bf16) {
  constexpr int64_t kRounds = 200'000;  // a few milliseconds
  std::array<double, 7> speeds{};
  for (double& speed : speeds) {
    const double begin = cpu_seconds();
    const int64_t operations = bf16 ? multiply_bf16(kRounds) : multiply_f32(kRounds);
    speed = static_cast<double>(operations) / (cpu_seconds() - begin);
  }
  std::nth_element(speeds.begin(), speeds.begin() + 3, speeds.end());
  return speeds[3];
}

}  // namespace unmask::peak
