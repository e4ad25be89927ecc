// Chooses rows by their scores, on the host.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "core/rows.h"

namespace unmask {

/// The maximum over a centred window of `width` (odd) scores, cut off at both ends.
std::vector<float> max_pool(std::span<const float> scores, int width);

/// Indices of the `count` largest scores, ascending. Among equal scores the lowest index wins.
Rows largest(std::span<const float> scores, int count);
/// The same for the `count` smallest scores.
Rows smallest(std::span<const float> scores, int count);

/// Of positions with their scores, in any order: the `count` best after max_pool() over neighbours
/// by position, ascending; all where there are fewer.
Rows best_positions(std::vector<std::pair<int, float>> scored, int width, int count);

}  // namespace unmask
