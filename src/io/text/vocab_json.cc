#include "io/text/vocab_json.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_file.h"

namespace unmask {

using nlohmann::json;

std::string tokenizer_where(const std::filesystem::path& file) {
  return fmt::format("[tokenizer] {}", file.string());
}

json read_object(const std::filesystem::path& file) {
  const std::string where = tokenizer_where(file);
  json value = parse_json(read_text_file(file, JsonLimits{}.max_bytes), where);
  if (!value.is_object()) fail("{}: found {}, expected an object", where, value.type_name());
  return value;
}

TokenId read_token_id(const json& value, const std::string& where) {
  if (!value.is_number_unsigned() ||
      value.get<uint64_t>() >= static_cast<uint64_t>(kTokenIdLimit)) {
    fail("{}: token id {}, expected an integer from 0 to {}", where, printable(value.dump()),
         kTokenIdLimit - 1);
  }
  return value.get<TokenId>();
}

std::vector<std::pair<std::string, TokenId>> read_vocab(const json& object,
                                                        const std::string& where) {
  if (!object.is_object()) {
    fail("{}: the vocabulary is {}, expected an object", where, object.type_name());
  }
  std::vector<std::pair<std::string, TokenId>> vocab;
  vocab.reserve(object.size());
  for (const auto& [text, id] : object.items()) vocab.emplace_back(text, read_token_id(id, where));
  return vocab;
}

std::pair<std::string, std::string> split_merge(std::string_view line, const std::string& where) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string_view::npos) {
    fail("{}: merge '{}': expected two parts with one space between them", where, printable(line));
  }
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

AddedToken read_added_token(const json& object, TokenId id, const std::string& where) {
  const auto content = object.is_object() ? object.find("content") : object.end();
  if (content == object.end() || !content->is_string()) {
    fail("{}: added token {}: key 'content' must be a string", where, id);
  }
  const auto flag = [&](const char* key, bool fallback) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return fallback;
    if (!found->is_boolean()) {
      fail("{}: added token {}: key '{}' must be true or false", where, id, key);
    }
    return found->get<bool>();
  };
  for (const char* key : {"single_word", "lstrip", "rstrip"}) {
    if (flag(key, false)) fail("{}: added token {}: key '{}' is not supported", where, id, key);
  }
  const bool special = flag("special", false);
  // Where the flag is absent, the reference searches only ordinary added tokens in normalised text.
  return {.id = id,
          .text = content->get<std::string>(),
          .special = special,
          .normalized = flag("normalized", !special)};
}

}  // namespace unmask
