#include "serve/api/chat_wording.h"

#include <random>

#include "io/json_members.h"

namespace unmask {

namespace {

Json delta(int index, Json content) {
  return {{"index", index},
          {"delta", std::move(content)},
          {"logprobs", nullptr},
          {"finish_reason", nullptr}};
}

/// Whether the call is whole: a constraint sees to that unless somebody ends the answer.
bool is_call(const FinishedChoice& finished) { return !finished.result.cancelled; }

}  // namespace

std::string ChatWording::object(bool streamed) const {
  return streamed ? "chat.completion.chunk" : "chat.completion";
}

Json ChatWording::choice(int index, const FinishedChoice& finished) const {
  return {{"index", index},
          {"message", {{"role", "assistant"}, {"content", finished.text}, {"refusal", nullptr}}},
          {"logprobs", nullptr},
          {"finish_reason", finished.reason}};
}

Json ChatWording::opening(int index) const {
  return delta(index, {{"role", "assistant"}, {"content", ""}});
}

Json ChatWording::piece(int index, const std::string& text) const {
  return delta(index, text.empty() ? Json::object() : Json{{"content", text}});
}

Json ChatWording::closing(int index, const FinishedChoice& finished) const {
  Json last = delta(index, Json::object());
  last["finish_reason"] = finished.reason;
  return last;
}

CallWording::CallWording(int choices) {
  std::random_device random;
  for (int i = 0; i < choices; ++i) {
    ids_.push_back(fmt::format("call_{:08x}{:08x}", random(), random()));
  }
}

Json CallWording::choice(int index, const FinishedChoice& finished) const {
  Json choice = ChatWording::choice(index, finished);
  if (!is_call(finished)) return choice;
  choice["message"]["content"] = nullptr;
  choice["message"]["tool_calls"] = calls(index, finished);
  choice["finish_reason"] = "tool_calls";
  return choice;
}

Json CallWording::opening(int index) const {
  return delta(index, {{"role", "assistant"}, {"content", nullptr}});
}

Json CallWording::closing(int index, const FinishedChoice& finished) const {
  Json last = ChatWording::closing(index, finished);
  if (!is_call(finished)) {
    last["delta"]["content"] = finished.text;
    return last;
  }
  Json all = calls(index, finished);
  all[0]["index"] = 0;
  last["delta"]["tool_calls"] = std::move(all);
  last["finish_reason"] = "tool_calls";
  return last;
}

Json CallWording::calls(int index, const FinishedChoice& finished) const {
  Json function = Json::object();
  for (const JsonMember& member : json_members(finished.text)) {
    // Arguments stay as they were written: numbers would lose digits.
    const std::string_view value = member.text.substr(member.text.find(": ") + 2);
    function[member.name] = member.name == "name" ? Json::parse(value) : Json(value);
  }
  return Json::array({{{"id", ids_[static_cast<size_t>(index)]},
                       {"type", "function"},
                       {"function", std::move(function)}}});
}

}  // namespace unmask
