// Targets as they were measured once, to see what has become worse since.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/targets.h"

namespace unmask {

/// What targets_json() wrote. Throws Error naming what the file lacks.
std::vector<Target> read_baseline(const std::filesystem::path& file);

struct TargetChange {
  std::string what;
  Spread before;
  Spread now;
  bool worse =
      false;  // beyond noise: the best measurement of now is worse than the worst of before
  bool better = false;
};

/// Of the targets that both have, in the order of `now`.
std::vector<TargetChange> compare_targets(const std::vector<Target>& before,
                                          const std::vector<Target>& now);

/// What changed beyond noise, a line each, and how many did not.
std::string changes_text(const std::vector<TargetChange>& changes);

}  // namespace unmask
