// POST /v1/decisions, in OpenAI's shape.
#pragma once

#include "serve/api/context.h"

namespace unmask {

Prepared prepare_decisions(const http::Request& request, const ApiContext& context);

}  // namespace unmask
