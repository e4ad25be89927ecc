// Recognises the chat templates of the published models.
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "io/containers/gguf_checkpoint.h"
#include "io/fnv1a.h"
#include "io/gguf_keys.h"
#include "io/json_file.h"
#include "io/text/chat_template.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

/// A template is known by the length and the FNV-1a hash of its text as Jinja sees it.
struct KnownTemplate {
  size_t bytes;
  uint64_t hash;
  ChatFormat format;
};
constexpr KnownTemplate kKnown[] = {
    {348, 0x74891e390e614ae2U, ChatFormat::llada},  // GSAI-ML/LLaDA-8B-Instruct
    {2426, 0x16bc91fc7006a16dU,
     ChatFormat::chatml},  // Dream-org/Dream-v0-Instruct-7B, as Qwen2.5 but for the system text
};

using NamedTemplates = std::map<std::string, std::string>;

/// The template named "default", or the only one.
std::optional<std::string> pick(const NamedTemplates& named) {
  const auto found = named.find("default");
  if (found != named.end()) return found->second;
  return named.size() == 1 ? std::optional(named.begin()->second) : std::nullopt;
}

/// A text, a list of {"name", "template"}, or an object from name to text.
std::optional<std::string> template_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
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
  return pick(named);
}

/// Of a JSON file's key chat_template.
std::optional<std::string> template_in(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  const json content = read_json_file(file);
  const auto value = content.is_object() ? content.find("chat_template") : content.end();
  return value == content.end() ? std::nullopt : template_of(*value);
}

std::optional<std::string> template_among(const fs::path& folder) {
  std::error_code none;
  NamedTemplates named;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() != ".jinja") continue;
    named.emplace(entry.path().stem().string(), read_text_file(entry.path(), kMaxTemplateBytes));
  }
  return pick(named);
}

std::optional<std::string> template_of_gguf(const fs::path& file) {
  const GgufFile gguf(first_gguf_part(file));
  const auto text = GgufKeys(gguf).optional_text("tokenizer.chat_template");
  if (text && text->size() > kMaxTemplateBytes) {
    fail("[chat] {}: a chat template of {} bytes, expected at most {}", file.string(), text->size(),
         kMaxTemplateBytes);
  }
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

/// As Jinja reads it: line breaks are LF, and one at the end does not count.
std::string as_jinja_reads(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace

/// Looks in the order of the transformers library.
std::optional<std::string> chat_template_text(const fs::path& directory) {
  if (is_gguf_file(directory)) return template_of_gguf(directory);
  if (fs::exists(directory / "chat_template.jinja")) {
    return read_text_file(directory / "chat_template.jinja", kMaxTemplateBytes);
  }
  for (const auto& found : {template_in(directory / "tokenizer_config.json"),
                            template_in(directory / "chat_template.json")}) {
    if (found) return found;
  }
  return template_among(directory / "additional_chat_templates");
}

ChatFormat detect_chat_format(const fs::path& directory) {
  const std::optional<std::string> found = chat_template_text(directory);
  if (!found) fail(ErrorCode::chat_format, "[chat] {}: no chat template", directory.string());
  const std::string text = as_jinja_reads(*found);
  for (const auto& [bytes, hash, format] : kKnown) {
    if (text.size() == bytes && fnv1a(text) == hash) return format;
  }
  fail(ErrorCode::chat_format, "[chat] {}: the chat template '{}' is not a known one",
       directory.string(), printable(text, 40));
}

}  // namespace unmask
