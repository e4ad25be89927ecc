// Reader of vocab.json with merges.txt, the layout of slow tokenizers. It does not say how text is
// cut; the class name in tokenizer_config.json does, and only the Qwen2 family is known here (Dream
// derives from it).
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/error.h"
#include "io/json_file.h"
#include "io/text/tokenizer_spec.h"
#include "io/text/vocab_json.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string prefix(const fs::path& file) { return fmt::format("[tokenizer] {}", file.string()); }

json read_object(const fs::path& file) {
  json value = parse_json(read_text_file(file, JsonLimits{}.max_bytes), prefix(file));
  if (!value.is_object()) {
    fail("{}: found {}, expected an object", prefix(file), value.type_name());
  }
  return value;
}

void check_config(const json& config, const std::string& where) {
  const auto name = config.find("tokenizer_class");
  if (name != config.end() && *name != json("DreamTokenizer") && *name != json("Qwen2Tokenizer")) {
    fail(
        "{}: tokenizer_class {} is not supported without a tokenizer.json, expected "
        "DreamTokenizer or Qwen2Tokenizer",
        where, printable(name->dump()));
  }
  for (const char* key : {"add_prefix_space", "split_special_tokens"}) {
    const auto found = config.find(key);
    if (found != config.end() && *found == json(true)) {
      fail("{}: key '{}' is not supported", where, key);
    }
  }
}

TokenId parse_id(const std::string& text, const std::string& where) {
  TokenId id = -1;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, id);
  if (problem != std::errc() || stop != end || id < 0 || id >= kTokenIdLimit) {
    fail("{}: added token id '{}', expected an integer from 0 to {}", where, printable(text),
         kTokenIdLimit - 1);
  }
  return id;
}

std::vector<AddedToken> read_decoder_table(const json& table, const std::string& where) {
  if (!table.is_object()) fail("{}: key 'added_tokens_decoder' must be an object", where);
  std::vector<AddedToken> tokens;
  for (const auto& [id, token] : table.items()) {
    tokens.push_back(read_added_token(token, parse_id(id, where), where));
  }
  return tokens;
}

/// Texts that special_tokens_map.json names: strings, objects with "content", or lists of those.
void collect_texts(const json& value, std::set<std::string>& texts) {
  if (value.is_string()) {
    texts.insert(value.get<std::string>());
  } else if (value.is_object() && value.contains("content")) {
    collect_texts(value["content"], texts);
  } else if (value.is_array()) {
    for (const json& item : value) collect_texts(item, texts);
  }
}

/// added_tokens.json has no flags; which tokens are special stands in special_tokens_map.json.
std::vector<AddedToken> read_plain_table(const fs::path& directory) {
  std::vector<AddedToken> tokens;
  const fs::path file = directory / "added_tokens.json";
  if (!fs::exists(file)) return tokens;
  std::set<std::string> special;
  const fs::path map_file = directory / "special_tokens_map.json";
  if (fs::exists(map_file)) {
    for (const json& value : read_object(map_file)) collect_texts(value, special);
  }
  for (auto& [text, id] : read_vocab(read_object(file), prefix(file))) {
    tokens.push_back({.id = id, .text = text, .special = special.contains(text)});
  }
  return tokens;
}

std::vector<std::pair<std::string, std::string>> read_merges(const fs::path& file) {
  const std::string content = read_text_file(file, JsonLimits{}.max_bytes);
  std::vector<std::pair<std::string, std::string>> merges;
  bool first = true;
  for (std::string_view rest = content; !rest.empty();) {
    const size_t length = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Only here is '#' a comment: merges may begin with it too.
    const bool header = first && line.starts_with("#version");
    first = false;
    if (!header && !line.empty()) merges.push_back(split_merge(line, prefix(file)));
  }
  return merges;
}

}  // namespace

TokenizerSpec read_vocab_and_merges(const fs::path& directory) {
  TokenizerSpec spec{.origin = directory.string(), .nfc = true};
  spec.patterns.emplace_back(kQwen2Pattern);
  const fs::path vocab_file = directory / "vocab.json";
  spec.vocab = read_vocab(read_object(vocab_file), prefix(vocab_file));
  spec.merges = read_merges(directory / "merges.txt");

  const fs::path config_file = directory / "tokenizer_config.json";
  const json config = fs::exists(config_file) ? read_object(config_file) : json::object();
  check_config(config, prefix(config_file));
  const auto table = config.find("added_tokens_decoder");
  spec.added = table != config.end() ? read_decoder_table(*table, prefix(config_file))
                                     : read_plain_table(directory);
  return spec;
}

TokenizerSpec read_tokenizer_spec(const fs::path& directory) {
  if (fs::exists(directory / "tokenizer.json")) {
    return read_tokenizer_json(directory / "tokenizer.json");
  }
  if (fs::exists(directory / "vocab.json") && fs::exists(directory / "merges.txt")) {
    return read_vocab_and_merges(directory);
  }
  fail("[tokenizer] {}: found neither tokenizer.json nor vocab.json with merges.txt",
       directory.string());
}

}  // namespace unmask
