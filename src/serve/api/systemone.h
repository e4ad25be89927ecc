// POST /v1/systemone: decisions in TypeSafe's shape, questions and answers by name.
#pragma once

#include "serve/api/context.h"

namespace unmask {

Prepared prepare_systemone(const http::Request& request, const ApiContext& context);

}  // namespace unmask
