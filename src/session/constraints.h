// What the answers of a model can be made to satisfy: schemas as automata over its tokens.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/schema.h"
#include "constrain/token_automaton.h"
#include "io/text/chat_template.h"
#include "session/model_files.h"

namespace unmask {

using Constraint = std::shared_ptr<const TokenAutomaton>;

/// The constraints of one model: its tokens by their bytes, which take half a second at 126,464 of
/// them and are read at the first use, and the 32 automata that were asked for last. Several
/// threads may ask.
class Constraints {
 public:
  explicit Constraints(ModelFiles files) : files_(std::move(files)) {}
  Constraints(const Constraints&) = delete;
  Constraints& operator=(const Constraints&) = delete;

  /// Documents of a JSON schema. Throws Error (code `schema`) for what cannot be promised, see
  /// compile_schema().
  Constraint schema(const nlohmann::ordered_json& schema);
  /// Any JSON object, see compile_json_object(). Throws Error when the tokens cannot write one.
  Constraint json_object();
  /// A call of one of `tools`. Throws Error as compile_tool_calls() does.
  Constraint tool_call(std::span<const ToolSchema> tools);

 private:
  struct Lift {
    std::string text;  // of what it promises
    Constraint constraint;
  };

  /// The automaton of `text`; `compile` makes that of its bytes where it is not known yet.
  Constraint find(const std::string& text, const std::function<Automaton()>& compile);
  const VocabularyTrie& vocabulary();

  ModelFiles files_;
  std::mutex mutex_;
  std::optional<VocabularyTrie> vocabulary_;
  std::list<Lift> lifts_;  // those asked for last in front
};

/// What an answer must be, and a line that tells the model of it: the constraint lets it write
/// nothing else, but an answer is better when the model knows what is wanted.
struct AnswerForm {
  Constraint constraint{};
  std::string instruction{};
};
/// Throws Error as the constraints do.
AnswerForm schema_form(const nlohmann::ordered_json& schema, Constraints& constraints);
AnswerForm json_object_form(Constraints& constraints);

/// A system text with a further line, or the line alone.
std::string with_line(std::string_view system, std::string_view line);
/// Adds a line to the system text of a conversation, which begins with one then.
void add_to_system(std::vector<ChatMessage>& messages, std::string_view line);

}  // namespace unmask
