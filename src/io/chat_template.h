// The prompt formats of the supported families. Templates are recognised, not interpreted: one that
// is unknown is refused.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

struct ChatMessage {
  std::string role;
  std::string content;
};

/// llada: headers and <|eot_id|>; chatml: <|im_start|> ... <|im_end|> with a default system text.
enum class ChatFormat { llada, chatml };

/// Names for `--template`: "llada", "chatml". Throws Error listing them for another name.
ChatFormat parse_chat_format(std::string_view name);
std::string_view chat_format_name(ChatFormat format);

/// The format of a model directory, recognised by the chat_template in its tokenizer_config.json
/// (or chat_template.jinja). Throws Error with the hint `--template` when there is none or it is
/// unknown.
ChatFormat detect_chat_format(const std::filesystem::path& directory);

/// Prompt text of a conversation, ready to be encoded.
std::string render_chat(ChatFormat format, std::span<const ChatMessage> messages,
                        bool add_generation_prompt = true);

}  // namespace unmask
