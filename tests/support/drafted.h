// The same request with drafts, which change nothing but the passes.
#pragma once

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "generate/request.h"

namespace unmask::testing {

/// Whether the documentation promises drafts for a request: a fixed schedule that ranks what one
/// pass proposes, with a method of these.
inline bool should_take_drafts(const Request& request) {
  constexpr std::array<std::string_view, 5> kMethods{"full", "fast-dllm", "sparse-dllm", "maskkv",
                                                     "streaming-dllm"};
  const std::string_view method =
      std::string_view(request.method).substr(0, request.method.find(':'));
  const SamplerOptions& s = request.sampler;
  const bool ranks = s.algorithm != Algorithm::random && s.algorithm != Algorithm::origin;
  return std::ranges::count(kMethods, method) > 0 && ranks && !s.dynamic() && !s.editing &&
         !s.remask && !s.credit && request.cfg_scale == 0 && !request.constraint && !request.growth;
}

/// None, and `why`, where drafts are refused.
inline std::optional<Request> drafted(Request request, int drafts, const ModelConfig& config,
                                      std::string& why) {
  request.sampler.drafts = drafts;
  try {
    check_request(request, config);
  } catch (const Error& error) {
    why = error.what();
    EXPECT_FALSE(should_take_drafts(request)) << why;
    return std::nullopt;
  }
  return request;
}

}  // namespace unmask::testing
