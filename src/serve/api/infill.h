// POST /infill, as llama.cpp's server has it and as editors ask for it.
#pragma once

#include "serve/api/context.h"

namespace unmask {

/// Throws ApiError for what cannot be answered.
Prepared prepare_infill(const http::Request& request, const ApiContext& context);

}  // namespace unmask
