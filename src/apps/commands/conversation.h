// A conversation and the model that carries it on.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apps/commands/commands.h"
#include "io/text/chat_template.h"
#include "session/model.h"

namespace unmask {

class Conversation {
 public:
  /// Loads the model. `arguments` and `console` outlive the conversation.
  Conversation(const ConverseArguments& arguments, Console& console);

  /// A line that names the model and how it answers.
  std::string greeting() const;
  /// The names of the commands, each with its slash.
  static std::vector<std::string> commands();

  /// Answers a line of the user, or obeys it. False: leave. Throws Error when it cannot be done;
  /// the conversation is then as it was.
  bool take(const std::string& line);

 private:
  using Work = void (Conversation::*)(const std::string& argument);
  struct Command {
    std::string_view name;
    std::string_view argument;  // what it is called in the help; empty: it has none
    std::string_view help;
    Work work;
  };
  static const std::vector<Command>& known();

  bool obey(const std::string& line);
  void answer(const std::string& question);
  /// After the messages have changed.
  void find_last_question();

  void begin_anew(const std::string& = {});
  void set_system(const std::string& text);
  void retry(const std::string& = {});
  void undo(const std::string& = {});
  void save(const std::string& file);
  void load(const std::string& file);
  void choose_preset(const std::string& name);
  void set_option(const std::string& name_and_value);
  void show_help(const std::string& = {});

  Console& console_;
  const ModelArguments& arguments_;
  RequestOptions generation_;
  ModelFiles files_;
  ChatTemplate format_;
  ChatOptions chat_;
  Model model_;
  std::optional<std::string> system_;
  std::vector<ChatMessage> messages_;
  std::set<std::string> said_;        // warnings
  std::optional<std::string> asked_;  // the last question
  bool answered_ = false;             // and its answer are the last messages
};

}  // namespace unmask
