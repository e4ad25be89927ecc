// Chooses rows by their scores, on the host.
#pragma once

#include <span>
#include <vector>

#include "core/rows.h"

namespace unmask {

/// The maximum over a centred window of `width` (odd) scores, cut off at both ends.
std::vector<float> max_pool(std::span<const float> scores, int width);

/// Indices of the `count` largest scores, ascending. Among equal scores the lowest index wins.
Rows largest(std::span<const float> scores, int count);
/// The same for the `count` smallest scores.
Rows smallest(std::span<const float> scores, int count);

}  // namespace unmask
