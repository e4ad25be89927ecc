// POST /v1/completions: texts that go on, or that have holes.
#pragma once

#include "serve/api/context.h"

namespace unmask {

/// Throws ApiError for what cannot be answered.
Prepared prepare_completion(const http::Request& request, const ApiContext& context);

}  // namespace unmask
