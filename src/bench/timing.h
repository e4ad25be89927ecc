// Clocks, and what is said of several measurements of one thing.
#pragma once

#include <vector>

namespace unmask {

/// Seconds on the clock on the wall, from an arbitrary moment.
double wall_seconds();
/// Processor time of the calling thread; on a shared machine more telling than the wall.
double thread_seconds();

struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
/// Of at least one value.
Spread spread_of(std::vector<double> values);
inline double median(std::vector<double> values) { return spread_of(std::move(values)).median; }

}  // namespace unmask
