// Text to tokens and back: /tokenize, /detokenize, /apply-template.
#pragma once

#include "serve/api/context.h"

namespace unmask {

/// All throw ApiError for what cannot be answered.
Prepared prepare_tokenize(const http::Request& request, const ApiContext& context);
Prepared prepare_detokenize(const http::Request& request, const ApiContext& context);
Prepared prepare_apply_template(const http::Request& request, const ApiContext& context);

}  // namespace unmask
