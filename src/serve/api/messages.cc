#include "serve/api/messages.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMostMessages = 1024;
constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant",
                                                 "tool"};

/// A string, or the texts of parts one after the other.
std::string read_content(Fields& message) {
  const json* content = message.find("content");
  if (content == nullptr) return {};
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) {
    message.refuse("content", fmt::format("found {}, expected a string or an array of parts",
                                          shown(*content)));
  }
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    const json& element = (*content)[i];
    const std::string name = element_path("content", i);
    if (!element.is_object()) {
      message.refuse(name, fmt::format("found {}, expected an object", shown(element)));
    }
    Fields part(element, message.path(name) + ".");
    const std::string type = part.text("type").value_or("");
    if (type != "text" && type != "input_text") {
      part.refuse("type",
                  fmt::format("found '{}', expected text: this model reads no images, sounds or "
                              "files",
                              printable(type)),
                  "unsupported_parameter");
    }
    text += part.text("text").value_or("");
  }
  return text;
}

std::vector<ToolCall> read_calls(Fields& message) {
  std::vector<ToolCall> calls;
  const auto elements = message.array("tool_calls", 0, kMostMessages);
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::string name = element_path("tool_calls", i);
    if (!elements[i]->is_object()) message.refuse(name, "expected an object");
    Fields call(*elements[i], message.path(name) + ".");
    auto function = call.object("function");
    if (!function) call.refuse("function", "found nothing, expected an object");
    calls.push_back({function->text("name").value_or(""),
                     function->text("arguments").value_or("{}"), call.text("id").value_or("")});
  }
  return calls;
}

ChatMessage read_message(Fields message) {
  const auto role = message.text("role");
  const bool known = role && std::find(kRoles.begin(), kRoles.end(), *role) != kRoles.end();
  if (!known) {
    message.refuse("role", fmt::format("found {}, expected {}",
                                       role ? "'" + printable(*role) + "'" : "nothing",
                                       fmt::join(kRoles, ", ")));
  }
  ChatMessage read{*role == "developer" ? "system" : *role, read_content(message)};
  read.tool_calls = read_calls(message);
  read.tool_call_id = message.text("tool_call_id").value_or("");
  read.name = message.text("name").value_or("");
  return read;
}

}  // namespace

std::vector<ChatMessage> read_messages(Fields& body) {
  const auto elements = body.array("messages", 1, kMostMessages);
  if (elements.empty()) body.refuse("messages", "found nothing, expected an array of messages");
  std::vector<ChatMessage> messages;
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::string name = element_path("messages", i);
    if (!elements[i]->is_object()) {
      body.refuse(name, fmt::format("found {}, expected an object", shown(*elements[i])));
    }
    messages.push_back(read_message(Fields(*elements[i], body.path(name) + ".")));
  }
  return messages;
}

std::map<std::string, std::string> read_template_variables(Fields& body) {
  std::map<std::string, std::string> variables;
  const json* object = body.find("chat_template_kwargs");
  if (object == nullptr) return variables;
  if (!object->is_object()) {
    body.refuse("chat_template_kwargs",
                fmt::format("found {}, expected an object", shown(*object)));
  }
  for (const auto& [name, value] : object->items()) variables.emplace(name, value.dump());
  return variables;
}

}  // namespace unmask
