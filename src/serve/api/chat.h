// POST /v1/chat/completions.
#pragma once

#include "serve/api/context.h"

namespace unmask {

/// Throws ApiError for what cannot be answered.
Prepared prepare_chat(const http::Request& request, const ApiContext& context);

}  // namespace unmask
