#include "apps/commands/conversation.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/commands/denoise.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/terminal.h"
#include "io/json_file.h"
#include "session/answer.h"

namespace unmask {

namespace {

constexpr size_t kUsualLength = 1024;  // tokens of a conversation, to plan memory for
constexpr size_t kMostBytes = size_t{64} << 20;

std::string without_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin));
}

/// Throws Error unless each line is a message and their roles fit: a system text at most at the
/// beginning, then questions and answers in turn.
std::vector<ChatMessage> read_messages(const std::string& file) {
  std::istringstream lines(read_text_file(file, kMostBytes));
  std::vector<ChatMessage> messages;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = fmt::format("[chat] {}:{}", file, ++number);
    const nlohmann::json value = parse_json(line, where);
    const auto text = [&](const char* key) {
      if (!value.is_object() || !value.contains(key) || !value[key].is_string()) {
        fail("{}: a message needs a \"role\" and a \"content\", both strings", where);
      }
      return value[key].get<std::string>();
    };
    ChatMessage message{text("role"), text("content")};
    const bool user_is_next = messages.empty() || messages.back().role != "user";
    const bool fits = message.role == "system"
                          ? messages.empty()
                          : message.role == (user_is_next ? "user" : "assistant");
    if (!fits) fail("{}: '{}' cannot speak here", where, printable(message.role, 20));
    messages.push_back(std::move(message));
  }
  return messages;
}

/// An answer in the midst of a conversation of usual length.
std::vector<Request> usual_requests(const RequestOptions& generation, const ModelFiles& files) {
  return {build_request(generation, files, std::vector<TokenId>(kUsualLength))};
}

}  // namespace

Conversation::Conversation(const ConverseArguments& arguments, Console& console)
    : console_(console),
      arguments_(arguments.model),
      generation_(arguments.generation),
      files_(ModelFiles::open(arguments.model.directory, arguments.model.overrides)),
      format_(choose_chat_template(files_, arguments.chat.format)),
      chat_{.variables = arguments.chat.variables},
      model_(load_model(arguments.model, files_, usual_requests(generation_, files_), console)),
      system_(arguments.chat.system) {
  show_note(files_, console);
  begin_anew();
}

std::string Conversation::greeting() const {
  const Request request = build_request(generation_, files_, {});
  const PresetSettings& preset = settings_of(generation_.preset);
  return fmt::format("{}, method {}, {} tokens an answer, {}: {}.\nType /help for the commands.",
                     files_.name(), request.method, request.most_tokens(), preset.name,
                     preset.what);
}

const std::vector<Conversation::Command>& Conversation::known() {
  static const std::vector<Command> commands{
      {"/system", "TEXT", "set the system text and begin anew", &Conversation::set_system},
      {"/reset", "", "begin anew", &Conversation::begin_anew},
      {"/retry", "", "answer the last question again, with the next seed", &Conversation::retry},
      {"/undo", "", "take the last question and its answer back", &Conversation::undo},
      {"/save", "FILE", "write the conversation as JSON lines", &Conversation::save},
      {"/load", "FILE", "go on with a conversation that was saved", &Conversation::load},
      {"/preset", "NAME", "the same as /set preset NAME", &Conversation::choose_preset},
      {"/set", "OPTION VALUE", "change an option of answers, e.g. /set temperature 0.5",
       &Conversation::set_option},
      {"/help", "", "this text", &Conversation::show_help}};
  return commands;
}

std::vector<std::string> Conversation::commands() {
  std::vector<std::string> names{"/exit"};
  for (const Command& command : known()) names.emplace_back(command.name);
  return names;
}

bool Conversation::take(const std::string& line) {
  if (line.find_first_not_of(" \t\r\n") == std::string::npos) return true;
  if (line.starts_with('/')) return obey(line);
  answer(line);
  return !told_to_end();
}

bool Conversation::obey(const std::string& line) {
  const size_t blank = line.find_first_of(" \t\n");
  const std::string name = without_blanks(std::string_view(line).substr(0, blank));
  const std::string argument =
      blank == std::string::npos ? "" : without_blanks(std::string_view(line).substr(blank));
  if (name == "/exit" || name == "/quit") return false;
  for (const Command& command : known()) {
    if (command.name != name) continue;
    if (command.argument.empty() != argument.empty()) {
      fail("[chat] {} takes {}", name,
           command.argument.empty() ? "nothing behind it" : std::string(command.argument));
    }
    (this->*command.work)(argument);
    return !told_to_end();
  }
  warn(console_, "unknown command '{}'", printable(name, 40));
  show_help();
  return true;
}

void Conversation::answer(const std::string& question) {
  std::vector<ChatMessage> messages = messages_;
  messages.push_back({"user", question});
  std::vector<std::string> adjusted;
  const Request request = build_request(
      generation_, files_, files_.tokenizer().encode(format_.render(messages, chat_)), &adjusted);
  asked_ = question;
  answered_ = false;
  warn_once(adjusted, said_, console_);
  warn_once(length_warnings(request, files_.config()), said_, console_);
  const Watch watch{.view = {.live = true},
                    .shown = {request.prompt_length, request.most_tokens()}};
  const Result result = denoise(arguments_, model_, request, watch, console_);
  const auto tokens = std::span(result.tokens)
                          .subspan(static_cast<size_t>(result.answer.begin),
                                   static_cast<size_t>(result.answer.size()));
  std::string text = known_text(files_.tokenizer(), tokens, files_.config().mask_id);
  if (!result.cancelled || !text.empty()) {
    print_text(console_, text + '\n');
    console_.out << std::flush;
  }
  if (result.cancelled) {
    if (!told_to_end()) clear_interrupt();
    console_.err << fmt::format("({}; no part of the conversation, /retry asks again)\n",
                                interruption(request, result));
    return;
  }
  explain_blank(text, result, console_);
  messages.push_back({"assistant", std::move(text)});
  messages_ = std::move(messages);
  answered_ = true;
}

void Conversation::begin_anew(const std::string& /*nothing*/) {
  messages_.clear();
  find_last_question();
  if (system_) messages_.push_back({"system", *system_});
}

void Conversation::set_system(const std::string& text) {
  system_ = text;
  begin_anew();
}

void Conversation::retry(const std::string& /*nothing*/) {
  if (!asked_) fail("[chat] nothing was asked yet");
  const std::string question = *asked_;
  const std::vector<ChatMessage> before = messages_;
  const bool was_answered = answered_;
  if (was_answered) messages_.resize(messages_.size() - 2);
  ++generation_.seed;
  const auto restore = [&] {
    messages_ = before;
    answered_ = was_answered;
  };
  try {
    answer(question);
  } catch (...) {
    restore();
    throw;
  }
  if (!answered_) restore();
}

void Conversation::find_last_question() {
  answered_ = !messages_.empty() && messages_.back().role == "assistant";
  asked_.reset();
  if (answered_) asked_ = messages_[messages_.size() - 2].content;
}

void Conversation::undo(const std::string& /*nothing*/) {
  if (messages_.empty() || messages_.back().role != "assistant") {
    fail("[chat] there is no answer to take back");
  }
  messages_.resize(messages_.size() - 2);
  find_last_question();
  console_.err << fmt::format("({} messages left)\n", messages_.size());
}

void Conversation::save(const std::string& file) {
  OutputFile out{std::filesystem::path(file)};
  for (const ChatMessage& message : messages_) {
    out.stream() << json_line({{"role", message.role}, {"content", message.content}});
  }
  out.commit();
  console_.err << fmt::format("({} messages written to {})\n", messages_.size(), printable(file));
}

void Conversation::load(const std::string& file) {
  std::vector<ChatMessage> messages = read_messages(file);
  if (messages.empty()) fail("[chat] {}: no messages in it", file);
  std::optional<std::string> open;
  if (messages.back().role == "user") {
    open = std::move(messages.back().content);
    messages.pop_back();
  }
  system_.reset();
  if (!messages.empty() && messages[0].role == "system") system_ = messages[0].content;
  messages_ = std::move(messages);
  find_last_question();
  console_.err << fmt::format("({} messages read)\n", messages_.size());
  if (open) answer(*open);
}

void Conversation::choose_preset(const std::string& name) { set_option("preset " + name); }

void Conversation::set_option(const std::string& name_and_value) {
  const size_t blank = name_and_value.find_first_of(" \t=");
  std::string word = "--" + name_and_value.substr(0, blank);
  if (blank != std::string::npos) word += "=" + without_blanks(name_and_value.substr(blank + 1));
  RequestOptions changed = generation_;
  CLI::App app;
  app.set_help_flag();
  add_generation_arguments(app, changed);
  try {
    std::vector<std::string> words{word};
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    fail("[chat] {}", printable(error.what(), 200));
  }
  build_request(changed, files_, {});  // throws where it makes no sense
  generation_ = changed;
}

void Conversation::show_help(const std::string& /*nothing*/) {
  for (const Command& command : known()) {
    console_.err << fmt::format("{:<20}{}\n", fmt::format("{} {}", command.name, command.argument),
                                command.help);
  }
  console_.err
      << "/exit               leave, as does Ctrl-D or Ctrl-C on an empty line twice;\n"
         "                    Ctrl-C clears a line, and ends an answer that is being made\n";
}

}  // namespace unmask
