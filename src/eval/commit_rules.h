// What an evaluation varies beside the method: how many tokens a step may decide. Written behind a
// method or a preset: "fast-dllm:cache=dual@threshold=0.9,leap=0.75".
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "session/request_builder.h"

namespace unmask {

/// The method or preset, and the rules behind its "@"; these are empty without.
std::pair<std::string, std::string> split_rules(std::string_view spec);

/// `options` with the rules in the place of its own: threshold, leap, leap_radius, factor,
/// tokens_per_step, drafts, credit, attach_eos. Throws Error for one that does not exist or is out
/// of its range.
RequestOptions with_rules(RequestOptions options, std::string_view rules);

}  // namespace unmask
