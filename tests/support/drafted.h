// The same request with drafts, which change nothing but the passes.
#pragma once

#include <optional>
#include <string>

#include "core/error.h"
#include "generate/request.h"

namespace unmask::testing {

/// None, and `why`, where drafts are refused.
inline std::optional<Request> drafted(Request request, int drafts, const ModelConfig& config,
                                      std::string& why) {
  request.sampler.drafts = drafts;
  try {
    check_request(request, config);
  } catch (const Error& error) {
    why = error.what();
    return std::nullopt;
  }
  return request;
}

}  // namespace unmask::testing
