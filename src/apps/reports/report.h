// What a generation produced and cost, as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "session/answer.h"
#include "session/model.h"

namespace unmask {

nlohmann::ordered_json report(const Model& model, const Request& request, const Result& result,
                              const std::string& text);

}  // namespace unmask
