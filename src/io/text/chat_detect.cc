// Recognises the chat templates of the published models.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "io/fnv1a.h"
#include "io/json_file.h"
#include "io/text/chat_template.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

/// A template is known by the length and the FNV-1a hash of its exact text.
struct KnownTemplate {
  size_t bytes;
  uint64_t hash;
  ChatFormat format;
};
constexpr KnownTemplate kKnown[] = {
    {348, 0x74891e390e614ae2U, ChatFormat::llada},  // GSAI-ML/LLaDA-8B-Instruct
    {2427, 0xa90d76f25b444205U,
     ChatFormat::chatml},  // Dream-org/Dream-v0-Instruct-7B, as Qwen2.5 but for the system text
};

/// The template named "default" of a list, or its only one.
std::optional<std::string> pick_from_list(const json& list) {
  for (const json& entry : list) {
    const bool complete = entry.is_object() && entry.contains("template") &&
                          entry["template"].is_string() && entry.contains("name");
    if (complete && (entry["name"] == json("default") || list.size() == 1)) {
      return entry["template"].get<std::string>();
    }
  }
  return std::nullopt;
}

std::optional<std::string> read_template(const fs::path& directory) {
  if (fs::exists(directory / "chat_template.jinja")) {
    return read_text_file(directory / "chat_template.jinja", kMaxTemplateBytes);
  }
  const fs::path config_file = directory / "tokenizer_config.json";
  if (!fs::exists(config_file)) return std::nullopt;
  const json config = read_json_file(config_file);
  const auto value = config.is_object() ? config.find("chat_template") : config.end();
  if (value == config.end()) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  return value->is_array() ? pick_from_list(*value) : std::nullopt;
}

}  // namespace

ChatFormat detect_chat_format(const fs::path& directory) {
  const std::optional<std::string> text = read_template(directory);
  if (!text) fail(ErrorCode::chat_format, "[chat] {}: no chat template", directory.string());
  for (const auto& [bytes, hash, format] : kKnown) {
    if (text->size() == bytes && fnv1a(*text) == hash) return format;
  }
  fail(ErrorCode::chat_format, "[chat] {}: the chat template '{}' is not a known one",
       directory.string(), printable(*text, 40));
}

}  // namespace unmask
