// POST /v1/score: how likely a model finds continuations of a text.
#pragma once

#include "serve/api/context.h"

namespace unmask {

Prepared prepare_score(const http::Request& request, const ApiContext& context);

}  // namespace unmask
