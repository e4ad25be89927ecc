// What a generation produced and cost, as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "session/answer.h"
#include "session/model.h"
#include "session/preset.h"

namespace unmask {

/// A request, and the preset that it was built from.
struct ReportedRequest {
  Preset preset;
  const Request& request;
};

nlohmann::ordered_json report(const Model& model, const ReportedRequest& about,
                              const Result& result, const std::string& text);

}  // namespace unmask
