// From what the user gave to a request for the engine.
#pragma once

#include <span>
#include <string>

#include "apps/options/arguments.h"
#include "apps/terminal/console.h"
#include "generate/engine.h"
#include "io/text/chat_template.h"
#include "io/text/tokenizer.h"
#include "session/fill_template.h"

namespace unmask {

/// Everything of a model but its weights, so that mistakes show before those are loaded.
struct ModelFiles {
  ModelConfig config;
  Tokenizer tokenizer;
  std::vector<TokenId> stop_ids;  // of the configuration and of the chat templates
};

/// Throws Error when the directory is no model or its tokenizer cannot be read.
ModelFiles open_model_files(const std::string& directory);

/// The text of -p, -f or standard input. One line break at the end of the latter two is dropped.
std::string read_prompt(const PromptArguments& arguments, Console& console);

/// The template that the user chose or the model brings.
ChatFormat choose_chat_format(const ChatArguments& arguments, const std::string& directory);
/// A conversation of one question, after the system text if there is one.
std::string render_question(const ChatArguments& arguments, const std::string& directory,
                            const std::string& question);

/// The prompt as the model is to read it: in its chat template, or `raw`. Throws Error when empty.
std::string read_question(const PromptArguments& prompt, const ChatArguments& chat, bool raw,
                          const std::string& directory, Console& console);

/// Masks behind a prompt. Throws Error when the options are impossible for the model.
Request make_request(const GenerationArguments& arguments, const ModelFiles& files,
                     std::vector<TokenId> prompt);

/// Masks in the holes of a text; everything from the first hole on is one block. End tokens are not
/// offered, because the text goes on behind the holes. Throws Error as make_request.
Request make_fill_request(const GenerationArguments& arguments, const ModelFiles& files,
                          std::span<const FillPart> parts);

/// Warns when the canvas is longer than the texts the model was trained on.
void warn_about_length(const Request& request, const ModelConfig& config, Console& console);

}  // namespace unmask
