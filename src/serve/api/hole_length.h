// How many masks a hole of unknown length gets.
#pragma once

#include <memory>
#include <vector>

#include "serve/api/generation_reply.h"

namespace unmask {

/// What `diffusion.infill_length` says: a number of masks, or nothing for "search", the default.
std::optional<int> read_infill_length(Fields& diffusion);

/// Lengths that a search tries: 4, 8, 16, 32 and 64 as far as `most` allows, at least one.
std::vector<int> hole_lengths(int most);

/// Plans that differ in the length of their hole only. One pass each finds where the model is
/// surest of what it would write: by the mean over the hole's masks of the logarithm of the largest
/// probability, ties to the shorter hole. That plan is carried out.
std::unique_ptr<Plan> plan_search(std::vector<std::unique_ptr<GenerationPlan>> candidates);

}  // namespace unmask
