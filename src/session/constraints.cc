#include "session/constraints.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace unmask {

namespace {

constexpr size_t kMostLifts = 32;  // some megabytes each at 126,464 tokens

/// What each token adds to a text: nothing for masks and for added tokens, which the text of an
/// answer leaves out or which mean something else than their letters.
std::vector<std::string> text_tokens(const ModelFiles& files) {
  const ModelConfig& config = files.config();
  const Tokenizer& tokenizer = files.tokenizer();
  std::vector<std::string> bytes(static_cast<size_t>(config.vocab_size));
  for (TokenId id = 0; id < config.vocab_size; ++id) {
    if (id == config.mask_id || tokenizer.is_special(id)) continue;
    std::string text = tokenizer.token_bytes(id);
    if (tokenizer.added_token(text) == id) continue;
    bytes[static_cast<size_t>(id)] = std::move(text);
  }
  return bytes;
}

/// Of a schema, on one line. Throws Error where that is no UTF-8.
std::string text_of(const nlohmann::ordered_json& schema) {
  try {
    return schema.dump();
  } catch (const nlohmann::ordered_json::exception&) {
    fail(ErrorCode::schema, "[schema] /: found a string that is no UTF-8, expected UTF-8");
  }
}

}  // namespace

const VocabularyTrie& Constraints::vocabulary() {
  if (!vocabulary_) {
    std::vector<TokenId> ends = files_.stop_ids();
    std::erase_if(ends, [&](TokenId id) { return id < 0 || id >= files_.config().vocab_size; });
    if (ends.empty()) {
      fail(ErrorCode::schema,
           "[schema] the model: found no end token, expected one, which ends a text of the schema");
    }
    vocabulary_.emplace(text_tokens(files_), std::move(ends));
  }
  return *vocabulary_;
}

Constraint Constraints::find(const std::string& text, const std::function<Automaton()>& compile) {
  // Held while compiling: others that ask for the same would only do the same work.
  const std::lock_guard lock(mutex_);
  const auto known = std::find_if(lifts_.begin(), lifts_.end(),
                                  [&](const Lift& lift) { return lift.text == text; });
  if (known != lifts_.end()) {
    lifts_.splice(lifts_.begin(), lifts_, known);
    return lifts_.front().constraint;
  }
  const Automaton bytes = compile();
  lifts_.push_front({text, std::make_shared<const TokenAutomaton>(bytes, vocabulary())});
  if (lifts_.size() > kMostLifts) lifts_.pop_back();
  return lifts_.front().constraint;
}

Constraint Constraints::schema(const nlohmann::ordered_json& schema) {
  return find("schema " + text_of(schema), [&] { return compile_schema(schema); });
}

Constraint Constraints::json_object() {
  return find("object", [] { return compile_json_object(); });
}

Constraint Constraints::tool_call(std::span<const ToolSchema> tools) {
  nlohmann::ordered_json text = nlohmann::ordered_json::array();
  for (const ToolSchema& tool : tools) {
    text.push_back({tool.name, tool.parameters ? *tool.parameters : nlohmann::ordered_json()});
  }
  return find("tools " + text_of(text), [&] { return compile_tool_calls(tools); });
}

AnswerForm schema_form(const nlohmann::ordered_json& schema, Constraints& constraints) {
  return {constraints.schema(schema),
          "Answer with JSON that satisfies this JSON schema: " + text_of(schema)};
}

AnswerForm json_object_form(Constraints& constraints) {
  return {constraints.json_object(), "Answer with a JSON object."};
}

std::string with_line(std::string_view system, std::string_view line) {
  return fmt::format("{}{}{}", system, system.empty() ? "" : "\n\n", line);
}

void add_to_system(std::vector<ChatMessage>& messages, std::string_view line) {
  if (messages.empty() || messages.front().role != "system") {
    messages.insert(messages.begin(), {"system", std::string(line)});
  } else {
    messages.front().content = with_line(messages.front().content, line);
  }
}

}  // namespace unmask
