// `unmask tokenize`: texts to ids and back.
#include <CLI/CLI.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "apps/commands/cli.h"
#include "apps/commands/commands.h"
#include "apps/options/prompt.h"
#include "core/parse_number.h"
#include "io/json_file.h"
#include "io/text/terminal_controls.h"
#include "io/text/utf8.h"
#include "session/find_model.h"

namespace unmask {

namespace {

/// The bytes of a token in quotes; what is no visible text is escaped.
std::string in_quotes(std::string_view bytes) {
  std::string out = "\"";
  for (size_t at = 0; at < bytes.size();) {
    const Utf8Step step = utf8_step(bytes, at);
    const std::string_view part = bytes.substr(at, static_cast<size_t>(step.length));
    if (part == "\n") {
      out += "\\n";
    } else if (part == "\"" || part == "\\") {
      out.append("\\").append(part);
    } else if (step.status == Utf8Status::valid && !steers_terminal(step.code_point)) {
      out += part;
    } else {
      for (const char c : part) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    at += part.size();
  }
  return out + '"';
}

/// Numbers separated by blanks, commas or brackets.
std::vector<TokenId> parse_ids(std::string_view text) {
  constexpr std::string_view kSeparators = " \t\r\n,[]";
  std::vector<TokenId> ids;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) return ids;
    const std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    const auto id = parse_number<TokenId>(word);
    if (!id) {
      fail("[tokenize] '{}' is no token id; give numbers separated by blanks or commas",
           printable(word, 20));
    }
    ids.push_back(*id);
    text.remove_prefix(word.size());
  }
}

void print_tokens(const TokenizeArguments& a, const Tokenizer& tokenizer,
                  const std::vector<TokenId>& ids, Console& console) {
  if (a.json) {
    nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
    for (const TokenId id : ids) {
      tokens.push_back({{"id", id},
                        {"piece", sanitize_utf8(tokenizer.token_bytes(id))},
                        {"special", tokenizer.is_special(id)}});
    }
    console.out << json_line({{"count", ids.size()}, {"tokens", tokens}});
  } else if (a.ids) {
    console.out << fmt::format("{}\n", fmt::join(ids, " "));
  } else {
    for (const TokenId id : ids) {
      console.out << fmt::format("{:>7}  {}\n", id, in_quotes(tokenizer.token_bytes(id)));
    }
  }
}

/// The text as a user's message in the chat template of the model or of the user's choice.
std::vector<TokenId> encode_in_template(const TokenizeArguments& a,
                                        const std::filesystem::path& directory,
                                        const Tokenizer& tokenizer, std::string text) {
  std::vector<ChatMessage> messages;
  if (a.chat.system) messages.push_back({"system", *a.chat.system});
  messages.push_back({"user", std::move(text)});
  const ChatTemplate format = a.chat.format ? ChatTemplate::built_in(*a.chat.format)
                                            : ChatTemplate::load(directory, tokenizer);
  check_markers(format, tokenizer);
  return tokenizer.encode(format.render(messages, {.variables = a.chat.variables}));
}

}  // namespace

CLI::App* add_tokenize(CLI::App& app, TokenizeArguments& a) {
  CLI::App* command = app.add_subcommand("tokenize", "Show how a text is cut into tokens");
  add_directory(*command, a.directory);
  add_prompt_arguments(*command, a.prompt);
  add_chat_arguments(*command, a.chat);
  command->add_flag("--chat", a.apply_template, "Put the text into the chat template first")
      ->group("Prompt");
  command->add_option("--decode", a.decode, "Show the text of these ids instead")
      ->type_name("IDS")
      ->group("Prompt")
      ->excludes("--prompt")
      ->excludes("--file")
      ->excludes("--chat");
  command->get_option("--system")->needs("--chat");
  command->get_option("--template")->needs("--chat");
  command->get_option("--chat-template-kwargs")->needs("--chat");
  CLI::Option* ids = command->add_flag("--ids", a.ids, "Ids only")->group("Output");
  command->add_flag("--json", a.json, "One JSON object")->group("Output")->excludes(ids);
  command->footer(
      "Examples:\n"
      "  unmask tokenize -m models/LLaDA-8B-Instruct -p 'Hello there'\n"
      "  unmask tokenize -m models/LLaDA-8B-Instruct --decode '1 2 3'");
  return command;
}

int tokenize(const TokenizeArguments& a, Console& console) {
  // A folder with a tokenizer alone will do.
  const std::filesystem::path directory = has_tokenizer(a.directory)
                                              ? std::filesystem::path(a.directory)
                                              : find_model(a.directory, model_caches());
  const Tokenizer tokenizer = Tokenizer::load(directory);
  if (a.decode) {
    const std::string text = tokenizer.decode(parse_ids(*a.decode));
    print_text(console, a.json ? json_line({{"text", text}}) : text + '\n');
    return kSuccess;
  }
  std::string text = read_prompt(a.prompt, console);
  print_tokens(a, tokenizer,
               a.apply_template ? encode_in_template(a, directory, tokenizer, std::move(text))
                                : tokenizer.encode_prompt(text),
               console);
  return kSuccess;
}

}  // namespace unmask
