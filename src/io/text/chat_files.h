// Where a model directory keeps its chat template.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace unmask {

struct TemplateText {
  std::string text;
  std::optional<std::string> with_tools{};  // instead, where there are tools
  std::string file;                         // its name, to show
};

/// In the order in which the transformers library looks: chat_template.jinja, the key chat_template
/// of tokenizer_config.json and of chat_template.json, additional_chat_templates. Of a GGUF file
/// its key tokenizer.chat_template. Nothing for none.
std::optional<TemplateText> find_chat_template(const std::filesystem::path& directory);

}  // namespace unmask
