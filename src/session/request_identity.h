// Tells requests apart by everything that their answers depend on.
#pragma once

#include <cstdint>

#include "generate/request.h"

namespace unmask {

/// A hash of the canvas and of every option but the constraint, which follows from a text beside.
uint64_t request_fingerprint(const Request& request);

}  // namespace unmask
