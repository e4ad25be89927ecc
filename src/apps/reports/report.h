// What a generation produced and cost, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/options/arguments.h"
#include "session/loaded_model.h"

namespace unmask {

/// "stop" after an end token, "length" without one, "cancelled" after Ctrl-C.
std::string_view finish_reason(const Request& request, const Result& result);

/// Tokens that the model chose for the answer; masks and what follows the end token do not count.
int answer_tokens(const Request& request, const Result& result, TokenId mask_id);

/// One line of JSON; bytes that are no UTF-8, as file names may have, become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

nlohmann::ordered_json report(const ModelArguments& arguments, const LoadedModel& model,
                              const Request& request, const Result& result,
                              const std::string& text);

}  // namespace unmask
