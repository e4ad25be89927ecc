#include "io/text/chat_template.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"
#include "io/template/json_value.h"
#include "io/template/template.h"
#include "io/text/built_in_templates.h"
#include "io/text/chat_files.h"
#include "io/text/tokenizer.h"

namespace unmask {

using jinja::Dict;
using jinja::Text;
using jinja::Value;
using jinja::Values;

struct ChatTemplate::Data {
  std::string name;
  std::string source;
  jinja::Template main;
  std::optional<jinja::Template> with_tools;
  std::vector<std::pair<std::string, std::string>> tokens{};  // variables that name special tokens

  const jinja::Template& one_for(bool tools) const {
    return tools && with_tools ? *with_tools : main;
  }
};

namespace {

/// Runs `work`; what it throws about a template begins with its name then.
template <typename Work>
auto naming(const std::string& name, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Error(fmt::format("[chat] template {}: {}", printable(name), error.what()), error.code());
  }
}

jinja::Template parse_named(const std::string& name, std::string_view source) {
  return naming(name, [&] { return jinja::Template(source); });
}

/// What the transformers library gives to templates besides the conversation.
std::vector<std::pair<std::string, std::string>> special_tokens(const Tokenizer& tokenizer) {
  std::vector<std::pair<std::string, std::string>> tokens;
  for (const char* role : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    const auto id = tokenizer.token_of_role(role);
    if (id) tokens.emplace_back(role, tokenizer.token_bytes(*id));
  }
  return tokens;
}

/// A known role may be part of a marker, as in "<|user|>"; any other one is what somebody wrote.
Value role_value(const std::string& role) {
  constexpr std::array<std::string_view, 10> kKnown{
      "system",   "developer", "user",        "assistant", "tool",
      "function", "ipython",   "environment", "model",     "observation"};
  const bool known = std::find(kKnown.begin(), kKnown.end(), role) != kKnown.end();
  return known ? Value(std::string_view(role)) : Value(Text::quote(role));
}

Value call_value(const ToolCall& call) {
  Dict function;
  function.set("name", Value(Text::quote(call.name)));
  function.set("arguments", jinja::read_json(call.arguments, "[chat] arguments of a tool call"));
  Dict value;
  value.set("type", Value("function"));
  if (!call.id.empty()) value.set("id", Value(Text::quote(call.id)));
  value.set("function", Value(std::move(function)));
  return Value(std::move(value));
}

Value message_value(const ChatMessage& message) {
  Dict value;
  value.set("role", role_value(message.role));
  value.set("content", Value(Text::quote(message.content)));
  if (!message.name.empty()) value.set("name", Value(Text::quote(message.name)));
  if (!message.tool_call_id.empty()) {
    value.set("tool_call_id", Value(Text::quote(message.tool_call_id)));
  }
  if (!message.tool_calls.empty()) {
    Values calls;
    for (const ToolCall& call : message.tool_calls) calls.push_back(call_value(call));
    value.set("tool_calls", jinja::make_list(std::move(calls)));
  }
  return Value(std::move(value));
}

Value tools_value(const std::vector<std::string>& tools) {
  if (tools.empty()) return {};
  Values values;
  for (const std::string& tool : tools) values.push_back(jinja::read_json(tool, "[chat] tool"));
  return jinja::make_list(std::move(values));
}

Dict variables(std::span<const ChatMessage> messages, const ChatOptions& options,
               const std::vector<std::pair<std::string, std::string>>& tokens) {
  Dict data;
  Values list;
  for (const ChatMessage& message : messages) list.push_back(message_value(message));
  data.set("messages", jinja::make_list(std::move(list)));
  data.set("tools", tools_value(options.tools));
  data.set("documents", Value());
  data.set("add_generation_prompt", Value(options.add_generation_prompt));
  for (const auto& [name, text] : tokens) data.set(name, Value(std::string_view(text)));
  for (const auto& [name, json] : options.variables) {
    if (data.find(name) != nullptr) {
      fail("[chat] the variable '{}' of a template cannot be chosen", printable(name, 60));
    }
    data.set(name,
             jinja::read_json(json, fmt::format("[chat] variable '{}'", printable(name, 60))));
  }
  return data;
}

/// Throws Error for what the template would leave out without a word.
void check_tools(const jinja::Template& used, std::span<const ChatMessage> messages,
                 const ChatOptions& options) {
  if (!options.tools.empty() && !used.uses("tools")) {
    fail("found tools, of which the template has no use");
  }
  const bool calls = std::any_of(messages.begin(), messages.end(),
                                 [](const ChatMessage& m) { return !m.tool_calls.empty(); });
  if (calls && !used.uses("tool_calls")) {
    fail("found calls of tools, of which the template has no use");
  }
}

PromptText prompt_text(const Text& text) {
  PromptText prompt;
  const std::string_view bytes = text.bytes();
  size_t at = 0;
  for (const auto& [begin, end] : text.quoted()) {
    prompt.write(bytes.substr(at, begin - at));
    prompt.quote(bytes.substr(begin, end - begin));
    at = end;
  }
  prompt.write(bytes.substr(at));
  return prompt;
}

}  // namespace

ChatTemplate::ChatTemplate(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

ChatTemplate ChatTemplate::built_in(std::string_view name) {
  for (const BuiltInTemplate& known : kBuiltInTemplates) {
    if (known.name != name) continue;
    return ChatTemplate(std::make_shared<const Data>(
        Data{std::string(name), std::string(known.source), jinja::Template(known.source), {}}));
  }
  fail("[chat] template '{}', expected one of {}", printable(name), fmt::join(names(), ", "));
}

std::vector<std::string> ChatTemplate::names() {
  std::vector<std::string> names;
  names.reserve(kBuiltInTemplates.size());
  for (const BuiltInTemplate& known : kBuiltInTemplates) names.emplace_back(known.name);
  return names;
}

ChatTemplate ChatTemplate::load(const std::filesystem::path& directory,
                                const Tokenizer& tokenizer) {
  const std::optional<TemplateText> found = find_chat_template(directory);
  if (!found) fail(ErrorCode::chat_format, "[chat] {}: no chat template", directory.string());
  const std::string where = (directory / found->file).string();
  std::optional<jinja::Template> with_tools;
  if (found->with_tools) with_tools = parse_named(where, *found->with_tools);
  return ChatTemplate(
      std::make_shared<const Data>(Data{found->file, found->text, parse_named(where, found->text),
                                        std::move(with_tools), special_tokens(tokenizer)}));
}

ChatTemplate ChatTemplate::parse(std::string_view source, const Tokenizer& tokenizer) {
  return ChatTemplate(std::make_shared<const Data>(Data{"of the model",
                                                        std::string(source),
                                                        parse_named("of the model", source),
                                                        {},
                                                        special_tokens(tokenizer)}));
}

const std::string& ChatTemplate::name() const { return data_->name; }
const std::string& ChatTemplate::source() const { return data_->source; }
bool ChatTemplate::has_tools() const { return data_->one_for(true).uses("tools"); }
bool ChatTemplate::writes(std::string_view text) const {
  return data_->main.writes(text) || data_->one_for(true).writes(text);
}

PromptText ChatTemplate::render(std::span<const ChatMessage> messages,
                                const ChatOptions& options) const {
  const Dict data = variables(messages, options, data_->tokens);
  const jinja::Template& used = data_->one_for(!options.tools.empty());
  return naming(data_->name, [&] {
    check_tools(used, messages, options);
    return prompt_text(used.render(data, options.now.value_or(std::time(nullptr))));
  });
}

std::map<std::string, std::string> read_template_variables(std::string_view json) {
  const nlohmann::ordered_json value =
      parse_ordered_json(json, "[chat] template variables", {.max_bytes = 65536});
  if (!value.is_object()) fail("[chat] template variables: found no JSON object, expected one");
  std::map<std::string, std::string> variables;
  for (const auto& [name, member] : value.items()) variables.emplace(name, member.dump());
  return variables;
}

namespace {

/// What stands between "<|" and "|>" where a template wrote it, markers included.
std::vector<std::string> markers_in(const PromptText& prompt) {
  std::vector<std::string> markers;
  const std::string& text = prompt.text();
  for (size_t begin = text.find("<|"); begin != std::string::npos;
       begin = text.find("<|", begin + 2)) {
    const size_t end = text.find("|>", begin + 2);
    if (end == std::string::npos) break;
    std::string marker = text.substr(begin, end + 2 - begin);
    const bool plain = marker.find_first_of(" \n\t<", 1) == std::string::npos;
    const bool known = std::find(markers.begin(), markers.end(), marker) != markers.end();
    if (plain && !known && !prompt.is_quoted(begin, end + 2)) markers.push_back(std::move(marker));
  }
  return markers;
}

}  // namespace

void check_markers(const ChatTemplate& format, const Tokenizer& tokenizer) {
  const std::vector<ChatMessage> messages{{"user", "?"}, {"assistant", "!"}, {"user", "?"}};
  std::vector<std::string> missing = markers_in(format.render(messages));
  std::erase_if(missing, [&](const std::string& marker) { return tokenizer.is_token(marker); });
  if (missing.empty()) return;
  fail(ErrorCode::chat_format,
       "[chat] template {}: its markers {} are no tokens of this tokenizer, so the model was not "
       "trained with them",
       printable(format.name()), fmt::join(missing, ", "));
}

std::optional<TokenId> end_of_turn(const ChatTemplate& format, const Tokenizer& tokenizer) {
  const std::vector<ChatMessage> messages{{"user", "?"}, {"assistant", "!"}};
  const PromptText prompt = format.render(messages, {.add_generation_prompt = false});
  const std::string& text = prompt.text();
  size_t answer = text.rfind('!');
  while (answer != std::string::npos && !prompt.is_quoted(answer, answer + 1)) {
    answer = answer == 0 ? std::string::npos : text.rfind('!', answer - 1);
  }
  if (answer == std::string::npos) return std::nullopt;
  const auto behind = tokenizer.encode(std::string_view(text).substr(answer + 1));
  if (behind.empty()) return std::nullopt;
  return tokenizer.added_token(tokenizer.token_bytes(behind[0]));
}

}  // namespace unmask
