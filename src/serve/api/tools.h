// Functions that a model may call: what a request says of them, and how it is told to the model.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/chat_template.h"
#include "serve/fields.h"
#include "session/constraints.h"

namespace unmask {

struct Tool {
  std::string name;
  std::string description;
  nlohmann::ordered_json parameters;  // the schema of its arguments, null for none
  std::string text;                   // as the client wrote it
};

/// Whether an answer is a call.
enum class ToolMode : uint8_t {
  none,       // it is text, and there are no tools
  automatic,  // it may be
  required    // it is one
};

struct ToolUse {
  ToolMode mode = ToolMode::none;
  std::vector<Tool> tools;      // those that the model hears of
  std::vector<size_t> allowed;  // those that it may call, as indices into `tools`
};

/// The members "tools" and "tool_choice". `text` is that of the whole request. Throws ApiError for
/// tools without a proper name or with another one's, and for a choice of one that is absent.
ToolUse read_tools(Fields& body, std::string_view text);

/// A call of one of the tools with these indices. Throws ApiError (unsupported_schema) whose
/// `param` is the place in the request.
Constraint tool_constraint(const ToolUse& use, std::span<const size_t> allowed,
                           Constraints& constraints);

/// Tells a model of tools whose chat format cannot: as a system text of ours, calls made before as
/// the JSON that a call is here. True when there was something to tell.
bool tell_of_tools(const ToolUse& use, std::vector<ChatMessage>& messages);

}  // namespace unmask
