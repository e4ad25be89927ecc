#include "io/text/chat_template.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/text/tokenizer.h"
#include "io/text/utf8.h"

namespace unmask {

using nlohmann::ordered_json;

namespace {

constexpr std::string_view kDefaultSystem = "You are a helpful assistant.";
constexpr int kMaxJsonDepth = 64;

/// JSON as Python's json.dumps(ensure_ascii=False) writes it, which is what the models were trained
/// on: a space behind commas and colons, keys in their original order.
void append_python_json(const ordered_json& value, std::string& out) {
  if (!value.is_structured()) {
    out += value.dump();
    return;
  }
  out += value.is_object() ? '{' : '[';
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!first) out += ", ";
    first = false;
    if (value.is_object()) out += ordered_json(key).dump() + ": ";
    append_python_json(item, out);
  }
  out += value.is_object() ? '}' : ']';
}

std::string python_json(const std::string& text, std::string_view what) {
  const auto limit_depth = [&](int depth, ordered_json::parse_event_t, ordered_json&) {
    if (depth > kMaxJsonDepth) fail("[chat] {}: nested deeper than {}", what, kMaxJsonDepth);
    return true;
  };
  const ordered_json value = ordered_json::parse(text, limit_depth, /*allow_exceptions=*/false);
  if (value.is_discarded()) fail("[chat] {}: '{}' is not JSON", what, printable(text));
  std::string out;
  append_python_json(value, out);
  return out;
}

PromptText render_llada(std::span<const ChatMessage> messages) {
  PromptText out(messages.empty() ? "" : "<|startoftext|>");
  for (const ChatMessage& message : messages) {
    out.write("<|start_header_id|>");
    out.quote(message.role);
    out.write("<|end_header_id|>\n\n");
    out.quote(trim_unicode(sanitize_utf8(message.content)));
    out.write("<|eot_id|>");
  }
  out.write("<|start_header_id|>assistant<|end_header_id|>\n\n");
  return out;
}

class ChatMlRenderer {
 public:
  explicit ChatMlRenderer(std::span<const ChatMessage> messages) : messages_(messages) {}

  PromptText run(const ChatOptions& options) {
    if (messages_.empty()) fail("[chat] chatml: a conversation needs at least one message");
    system_turn(options.tools);
    for (size_t i = 0; i < messages_.size(); ++i) turn(i);
    if (options.add_generation_prompt) out_.write("<|im_start|>assistant\n");
    return std::move(out_);
  }

 private:
  bool starts_with_system() const { return messages_.front().role == "system"; }

  void system_turn(std::span<const std::string> tools) {
    out_.write("<|im_start|>system\n");
    out_.quote(starts_with_system() ? std::string_view(messages_.front().content) : kDefaultSystem);
    if (!tools.empty()) tool_list(tools);
    out_.write("<|im_end|>\n");
  }

  void tool_list(std::span<const std::string> tools) {
    out_.write(
        "\n\n# Tools\n\n"
        "You may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
    for (const std::string& tool : tools) out_.quote('\n' + python_json(tool, "tool"));
    out_.write(
        "\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>");
  }

  void turn(size_t i) {
    const ChatMessage& message = messages_[i];
    if (message.role == "assistant" && !message.tool_calls.empty()) {
      call_turn(message);
    } else if (message.role == "tool") {
      tool_response(i);
    } else if (message.role == "user" || message.role == "system" || message.role == "assistant") {
      if (i == 0 && message.role == "system") return;  // written already
      out_.write("<|im_start|>" + message.role + "\n");
      out_.quote(message.content);
      out_.write("<|im_end|>\n");
    } else {
      fail("[chat] chatml: role '{}', expected system, user, assistant or tool",
           printable(message.role));
    }
  }

  void call_turn(const ChatMessage& message) {
    out_.write("<|im_start|>assistant");
    if (!message.content.empty()) out_.quote("\n" + message.content);
    for (const ToolCall& call : message.tool_calls) {
      out_.write("\n<tool_call>\n");
      out_.quote("{\"name\": \"" + call.name + "\", \"arguments\": " +
                 python_json(call.arguments, "arguments of a tool call") + "}");
      out_.write("\n</tool_call>");
    }
    out_.write("<|im_end|>\n");
  }

  /// Neighbouring responses share one turn of the user.
  void tool_response(size_t i) {
    const auto is_tool = [&](size_t k) { return messages_[k].role == "tool"; };
    if (i == 0 || !is_tool(i - 1)) out_.write("<|im_start|>user");
    out_.write("\n<tool_response>\n");
    out_.quote(messages_[i].content);
    out_.write("\n</tool_response>");
    if (i + 1 == messages_.size() || !is_tool(i + 1)) out_.write("<|im_end|>\n");
  }

  std::span<const ChatMessage> messages_;
  PromptText out_;
};

void refuse_tools(std::span<const ChatMessage> messages, const ChatOptions& options) {
  bool has_tools = !options.tools.empty();
  for (const ChatMessage& message : messages) has_tools |= !message.tool_calls.empty();
  if (has_tools) fail("[chat] llada: the format has no tools");
}

}  // namespace

ChatFormat parse_chat_format(std::string_view name) {
  for (const ChatFormat format : {ChatFormat::llada, ChatFormat::chatml}) {
    if (name == chat_format_name(format)) return format;
  }
  fail("[chat] template '{}', expected llada or chatml", printable(name));
}

std::string_view chat_format_name(ChatFormat format) {
  return format == ChatFormat::llada ? "llada" : "chatml";
}

void check_markers(ChatFormat format, const Tokenizer& tokenizer) {
  using Markers = std::vector<std::string_view>;
  const Markers markers =
      format == ChatFormat::llada
          ? Markers{"<|startoftext|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}
          : Markers{"<|im_start|>", "<|im_end|>"};
  Markers missing;
  for (const std::string_view marker : markers) {
    if (!tokenizer.is_token(marker)) missing.push_back(marker);
  }
  if (missing.empty()) return;
  fail(ErrorCode::chat_format,
       "[chat] template {}: its markers {} are no tokens of this tokenizer, so the model was not "
       "trained with them",
       chat_format_name(format), fmt::join(missing, ", "));
}

PromptText render_chat(ChatFormat format, std::span<const ChatMessage> messages,
                       const ChatOptions& options) {
  if (format == ChatFormat::chatml) return ChatMlRenderer(messages).run(options);
  refuse_tools(messages, options);
  return render_llada(messages);
}

}  // namespace unmask
