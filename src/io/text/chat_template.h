// The prompt formats of the supported families. Templates are recognised, not interpreted: one that
// is unknown is refused.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/prompt_text.h"

namespace unmask {

class Tokenizer;

/// A function call the assistant made.
struct ToolCall {
  std::string name;
  std::string arguments;  // JSON text
};

struct ChatMessage {
  std::string role;
  std::string content;
  std::vector<ToolCall> tool_calls = {};  // of the role "assistant"
};

/// llada: headers and <|eot_id|>; chatml: <|im_start|> ... <|im_end|> with a default system text.
enum class ChatFormat { llada, chatml };

struct ChatOptions {
  /// End with the header of the assistant's turn. llada always does, as its template.
  bool add_generation_prompt = true;
  /// Functions the assistant may call, each as JSON text. Only chatml has them.
  std::vector<std::string> tools = {};
};

/// "llada" or "chatml". Throws Error listing them for another name.
ChatFormat parse_chat_format(std::string_view name);
std::string_view chat_format_name(ChatFormat format);

/// Throws Error (chat_format) naming the markers of `format` that are no tokens of `tokenizer`: the
/// model would read them as ordinary text, letter by letter.
void check_markers(ChatFormat format, const Tokenizer& tokenizer);

/// The format of a model directory, recognised by chat_template.jinja or, where there is none, the
/// chat_template in its tokenizer_config.json or chat_template.json, or additional_chat_templates;
/// of a GGUF file by its key tokenizer.chat_template.
/// Throws Error (chat_format) when there is none or it is unknown.
ChatFormat detect_chat_format(const std::filesystem::path& directory);

/// The template as the files of a model have it; none without one.
std::optional<std::string> chat_template_text(const std::filesystem::path& directory);

/// Prompt text of a conversation, ready to be encoded; what its messages say is quoted. Throws
/// Error when the format cannot express it: an unknown role or no message (chatml), tools (llada),
/// arguments or tools that are not JSON.
PromptText render_chat(ChatFormat format, std::span<const ChatMessage> messages,
                       const ChatOptions& options = {});

}  // namespace unmask
