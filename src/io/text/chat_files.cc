#include "io/text/chat_files.h"

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/containers/open_file.h"
#include "io/gguf_keys.h"
#include "io/json_file.h"
#include "io/template/parser.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

using NamedTemplates = std::map<std::string, std::string>;

/// The template named "default", or the only one; and the one for tools.
std::optional<TemplateText> pick(const NamedTemplates& named, const std::string& file) {
  const auto with_tools = named.find("tool_use");
  auto found = named.find("default");
  if (found == named.end() && named.size() == 1) found = named.begin();
  if (found == named.end()) return std::nullopt;
  TemplateText text{found->second, {}, file};
  if (with_tools != named.end()) text.with_tools = with_tools->second;
  return text;
}

/// A text, a list of {"name", "template"}, or an object from name to text.
std::optional<TemplateText> template_of(const json& value, const std::string& file) {
  if (value.is_string()) return TemplateText{value.get<std::string>(), {}, file};
  NamedTemplates named;
  if (value.is_object()) {
    for (const auto& [name, text] : value.items()) {
      if (text.is_string()) named.emplace(name, text.get<std::string>());
    }
  } else if (value.is_array()) {
    for (const json& entry : value) {
      const bool complete = entry.is_object() && entry.contains("template") &&
                            entry["template"].is_string() && entry.contains("name") &&
                            entry["name"].is_string();
      if (complete) {
        named.emplace(entry["name"].get<std::string>(), entry["template"].get<std::string>());
      }
    }
  }
  return pick(named, file);
}

/// Of a JSON file's key chat_template.
std::optional<TemplateText> template_in(const fs::path& file) {
  if (!may_exist(file)) return std::nullopt;
  const json content = read_json_file(file);
  const auto value = content.is_object() ? content.find("chat_template") : content.end();
  if (value == content.end()) return std::nullopt;
  return template_of(*value, file.filename().string());
}

std::optional<TemplateText> template_among(const fs::path& folder) {
  std::error_code none;
  NamedTemplates named;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() != ".jinja") continue;
    named.emplace(entry.path().stem().string(),
                  read_text_file(entry.path(), jinja::kMaxTemplateBytes));
  }
  return pick(named, folder.filename().string());
}

std::optional<TemplateText> template_of_gguf(const fs::path& file) {
  const GgufFile gguf(first_gguf_part(file));
  const auto text = GgufKeys(gguf).optional_text("tokenizer.chat_template");
  if (!text) return std::nullopt;
  if (text->size() > jinja::kMaxTemplateBytes) {
    fail(ErrorCode::chat_format, "[chat] {}: a chat template of {} bytes, expected at most {}",
         file.string(), text->size(), jinja::kMaxTemplateBytes);
  }
  return TemplateText{std::string(*text), {}, file.filename().string()};
}

}  // namespace

std::optional<TemplateText> find_chat_template(const fs::path& directory) {
  if (is_gguf_file(directory)) return template_of_gguf(directory);
  const fs::path own = directory / "chat_template.jinja";
  if (may_exist(own)) {
    TemplateText text{read_text_file(own, jinja::kMaxTemplateBytes), {}, own.filename().string()};
    const fs::path for_tools = directory / "additional_chat_templates" / "tool_use.jinja";
    if (may_exist(for_tools)) text.with_tools = read_text_file(for_tools, jinja::kMaxTemplateBytes);
    return text;
  }
  for (const char* file : {"tokenizer_config.json", "chat_template.json"}) {
    if (auto found = template_in(directory / file)) return found;
  }
  return template_among(directory / "additional_chat_templates");
}

}  // namespace unmask
