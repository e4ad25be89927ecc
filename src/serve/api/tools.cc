#include "serve/api/tools.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "serve/api/ordered_member.h"
#include "serve/api/response_format.h"

namespace unmask {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

constexpr size_t kMostTools = 64;
constexpr size_t kMostToolName = 64;  // OpenAI's

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostToolName &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c) != 0) || c == '_' || c == '-';
         });
}

Tool read_tool(Fields tool, const ordered_json& ordered) {
  tool.choice("type", {"function"});
  auto function = tool.object("function");
  if (!function) tool.refuse("function", "found nothing, expected an object");
  const std::string name = function->text("name").value_or("");
  if (!is_name(name)) {
    function->refuse("name", fmt::format("found '{}', expected 1 to {} letters, digits, _ and -",
                                         printable(name), kMostToolName));
  }
  Tool read{name, function->text("description").value_or(""), {}, ordered.dump()};
  if (function->find("parameters") != nullptr) read.parameters = ordered["function"]["parameters"];
  return read;
}

std::optional<size_t> index_of(const std::vector<Tool>& tools, std::string_view name) {
  const auto found =
      std::find_if(tools.begin(), tools.end(), [&](const Tool& t) { return t.name == name; });
  if (found == tools.end()) return std::nullopt;
  return static_cast<size_t>(found - tools.begin());
}

std::vector<Tool> read_list(Fields& body, std::string_view text) {
  const auto elements = body.array("tools", 0, kMostTools);
  if (elements.empty()) return {};
  const ordered_json ordered = ordered_member(text, "tools");
  std::vector<Tool> tools;
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::string name = element_path("tools", i);
    if (!elements[i]->is_object()) {
      body.refuse(name, fmt::format("found {}, expected an object", shown(*elements[i])));
    }
    Tool tool = read_tool(Fields(*elements[i], name + "."), ordered[i]);
    if (const auto same = index_of(tools, tool.name)) {
      body.refuse(name + ".function.name",
                  fmt::format("found '{}', which tools[{}] has, too", tool.name, *same));
    }
    tools.push_back(std::move(tool));
  }
  return tools;
}

/// The name of a tool_choice that is an object.
std::string read_chosen(Fields& body) {
  auto choice = body.object("tool_choice");
  choice->choice("type", {"function"});
  auto function = choice->object("function");
  if (!function) choice->refuse("function", "found nothing, expected an object with a name");
  return function->text("name").value_or("");
}

/// What a call is, as the constraint has it.
std::string call_text(const ToolCall& call) {
  return fmt::format("{{\"name\": {}, \"arguments\": {}}}", json(call.name).dump(), call.arguments);
}

}  // namespace

ToolUse read_tools(Fields& body, std::string_view text) {
  ToolUse use;
  use.tools = read_list(body, text);
  use.allowed.resize(use.tools.size());
  std::iota(use.allowed.begin(), use.allowed.end(), size_t{0});
  const json* choice = body.find("tool_choice");
  if (choice != nullptr && choice->is_object()) {
    const std::string name = read_chosen(body);
    const auto chosen = index_of(use.tools, name);
    if (!chosen) {
      body.refuse("tool_choice.function.name",
                  fmt::format("found '{}', expected one of the {} tools", printable(name),
                              use.tools.size()));
    }
    use.mode = ToolMode::required;
    use.allowed = {*chosen};
    return use;
  }
  const std::string mode = body.choice("tool_choice", {"auto", "none", "required"});
  if (mode == "required" && use.tools.empty()) {
    body.refuse("tool_choice", "found 'required' without tools, expected at least one");
  }
  if (mode == "none" || use.tools.empty()) return {};
  use.mode = mode == "required" ? ToolMode::required : ToolMode::automatic;
  return use;
}

Constraint tool_constraint(const ToolUse& use, std::span<const size_t> allowed,
                           Constraints& constraints) {
  std::vector<ToolSchema> schemas;
  for (const size_t i : allowed) {
    const Tool& tool = use.tools[i];
    schemas.push_back({tool.name, tool.parameters.is_null() ? nullptr : &tool.parameters});
  }
  try {
    return constraints.tool_call(schemas);
  } catch (const Error& error) {
    ApiError refusal = unsupported_schema(error, "");
    constexpr std::string_view kPointer = "/tools/";
    std::string place = refusal.param->starts_with(kPointer) ? *refusal.param : "";
    // The pointer counts the tools that are allowed: /tools/0/function/parameters/...
    size_t digits = kPointer.size();
    size_t index = 0;
    while (digits < place.size() && std::isdigit(static_cast<unsigned char>(place[digits])) != 0) {
      index = index * 10 + static_cast<size_t>(place[digits++] - '0');
    }
    refusal.param = "tools";
    if (!place.empty()) {
      constexpr std::string_view kParameters = "/function/parameters";
      *refusal.param = fmt::format("tools[{}].function.parameters{}", allowed[index],
                                   place.substr(digits + kParameters.size()));
    }
    throw refusal;
  }
}

bool tell_of_tools(const ToolUse& use, std::vector<ChatMessage>& messages) {
  bool told = false;
  for (ChatMessage& message : messages) {
    for (const ToolCall& call : message.tool_calls) {
      message.content += (message.content.empty() ? "" : "\n") + call_text(call);
      told = true;
    }
    message.tool_calls.clear();
  }
  if (use.tools.empty()) return told;
  std::string list =
      "You can call a function: answer with JSON, {\"name\": NAME, \"arguments\": ARGUMENTS}, "
      "where "
      "the arguments satisfy the function's parameters. The functions:";
  for (const Tool& tool : use.tools) list += "\n" + tool.text;
  add_to_system(messages, list);
  return true;
}

}  // namespace unmask
