#pragma once

#include <nlohmann/json_fwd.hpp>

#include "generate/request.h"

namespace unmask {

/// Who decides in a request, by the names of options: algorithm and threshold (null without), and
/// the other rules where they are on.
nlohmann::ordered_json sampler_json(const Request& request);

}  // namespace unmask
