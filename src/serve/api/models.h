// What is served: /v1/models and /props.
#pragma once

#include "serve/api/context.h"

namespace unmask {

Prepared list_models(const http::Request& request, const ApiContext& context);
/// The form of llama.cpp's server, which editors read, and what denoising can be told.
Prepared show_props(const http::Request& request, const ApiContext& context);

}  // namespace unmask
