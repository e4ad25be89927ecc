// How a conversation becomes the text that a model was trained on: the model's own template, which
// is run as it is, or one of those that the program brings.
#pragma once

#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/text/prompt_text.h"

namespace unmask {

class Tokenizer;

/// A function call the assistant made.
struct ToolCall {
  std::string name;
  std::string arguments;  // JSON text
  std::string id = {};    // empty: it has none
};

struct ChatMessage {
  std::string role;
  std::string content;
  std::vector<ToolCall> tool_calls = {};  // of the role "assistant"
  std::string tool_call_id = {};          // of the role "tool": the call it answers
  std::string name = {};                  // who speaks, where the role does not say it
};

struct ChatOptions {
  /// End with the header of the assistant's turn. LLaDA's template always does.
  bool add_generation_prompt = true;
  /// Functions the assistant may call, each as JSON text.
  std::vector<std::string> tools = {};
  /// Further variables of the template, as JSON text by name: {"enable_thinking", "false"}.
  std::map<std::string, std::string> variables = {};
  /// What a template that asks for the time is told; without one it is the time it is.
  std::optional<std::time_t> now = {};
};

/// A handle to something immutable: copies share it, and it may be used from several threads.
class ChatTemplate {
 public:
  /// One of names(). Throws Error listing them for another.
  static ChatTemplate built_in(std::string_view name);
  static std::vector<std::string> names();
  /// That of a model directory: chat_template.jinja or, where there is none, the chat_template in
  /// its tokenizer_config.json or chat_template.json, or additional_chat_templates; of several the
  /// one named "default", and "tool_use" where there are tools; of a GGUF file its key
  /// tokenizer.chat_template. It knows the special tokens of
  /// `tokenizer` as bos_token and the like. Throws Error (chat_format) when there is none, or
  /// naming the line of what is no template.
  static ChatTemplate load(const std::filesystem::path& directory, const Tokenizer& tokenizer);
  /// Of a text that came from elsewhere. Throws as load().
  static ChatTemplate parse(std::string_view source, const Tokenizer& tokenizer);

  /// A name of names(), or the file that it comes from.
  const std::string& name() const;
  const std::string& source() const;
  /// Whether it tells the model of tools.
  bool has_tools() const;
  /// Whether it can write `text`.
  bool writes(std::string_view text) const;

  /// Prompt text of a conversation, ready to be encoded; what people wrote is quoted. Throws Error:
  /// when the template refuses the conversation, cannot be run (chat_format), or would leave out
  /// tools or calls; for tools, arguments or variables that are not JSON.
  PromptText render(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;

 private:
  struct Data;
  explicit ChatTemplate(std::shared_ptr<const Data> data);
  std::shared_ptr<const Data> data_;
};

/// Variables of templates from the text of a JSON object. Throws Error for anything else.
std::map<std::string, std::string> read_template_variables(std::string_view json);

/// Throws Error (chat_format) naming markers such as <|im_end|> that the template writes around a
/// question and its answer and that are no tokens of `tokenizer`: the model would read them as
/// ordinary text, letter by letter.
void check_markers(const ChatTemplate& format, const Tokenizer& tokenizer);

/// The token that the template writes behind an answer, if it is an added one.
std::optional<TokenId> end_of_turn(const ChatTemplate& format, const Tokenizer& tokenizer);

}  // namespace unmask
