#include "io/text/special_tokens.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/parse_number.h"
#include "io/json_file.h"
#include "io/model_folder.h"
#include "io/text/vocab_json.h"

namespace unmask {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::array kRoles{"bos_token", "eos_token", "unk_token", "sep_token",
                            "pad_token", "cls_token", "mask_token"};

TokenId parse_id(const std::string& text, const std::string& where) {
  const auto id = parse_number<TokenId>(text);
  if (!id || *id < 0 || *id >= kTokenIdLimit) {
    fail("{}: added token id '{}', expected an integer from 0 to {}", where, printable(text),
         kTokenIdLimit - 1);
  }
  return *id;
}

/// The text of a token that stands as a string or as an object with "content".
std::optional<std::string> token_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content")) return token_text(value["content"]);
  return std::nullopt;
}

class Completion {
 public:
  Completion(const fs::path& directory, TokenizerSpec& spec) : spec_(spec) {
    for (const auto& [text, id] : spec.vocab) add_known(text, id);
    for (const AddedToken& token : spec.added) {
      added_.emplace(token.text, token.id);
      next_ = std::max(next_, token.id + 1);
    }
    config_ = read(directory / "tokenizer_config.json");
    map_ = read(directory / "special_tokens_map.json");
    listed_ = read(directory / "added_tokens.json");
    where_listed_ = tokenizer_where(directory / "added_tokens.json");
    where_config_ = tokenizer_where(directory / "tokenizer_config.json");
  }

  void run() {
    name_roles(config_);
    name_roles(map_);
    add_decoder_table();
    add_listed();
    for (const std::string& text : special_) add_special(text);
  }

 private:
  static json read(const fs::path& file) {
    return has_file(file) ? read_object(file) : json::object();
  }

  void add_known(const std::string& text, TokenId id) {
    vocab_.emplace(text, id);
    next_ = std::max(next_, id + 1);
  }

  /// The first file to name a role wins; all special texts count.
  void name_roles(const json& file) {
    for (const char* role : kRoles) {
      const auto found = file.find(role);
      const auto text = found == file.end() ? std::nullopt : token_text(*found);
      if (!text || text->empty()) continue;
      spec_.roles.emplace(role, *text);
      note_special(*text);
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const auto found = file.find(key);
      if (found == file.end() || !found->is_structured()) continue;
      for (const json& value : *found) {
        if (const auto text = token_text(value); text && !text->empty()) note_special(*text);
      }
    }
  }

  void note_special(const std::string& text) {
    if (std::find(special_.begin(), special_.end(), text) == special_.end()) {
      special_.push_back(text);
    }
  }

  void add(AddedToken token) {
    const auto known = vocab_.find(token.text);
    if (known != vocab_.end()) token.id = known->second;
    if (!added_.emplace(token.text, token.id).second) return;
    next_ = std::max(next_, token.id + 1);
    spec_.added.push_back(std::move(token));
  }

  void add_decoder_table() {
    const auto table = config_.find("added_tokens_decoder");
    if (table == config_.end() || table->is_null()) return;
    if (!table->is_object()) {
      fail("{}: key 'added_tokens_decoder' must be an object", where_config_);
    }
    for (const auto& [id, token] : table->items()) {
      // What tokenizer.json has already is not looked at again.
      const auto text = token_text(token);
      if (text && added_.contains(*text)) continue;
      add(read_added_token(token, parse_id(id, where_config_), where_config_));
    }
  }

  /// added_tokens.json has no flags: which tokens are special is said elsewhere.
  void add_listed() {
    for (auto& [text, id] : read_vocab(listed_, where_listed_)) {
      const bool special = std::find(special_.begin(), special_.end(), text) != special_.end();
      add({.id = id, .text = text, .special = special});
    }
  }

  void add_special(const std::string& text) {
    if (added_.contains(text)) return;
    add({.id = next_, .text = text, .special = true});
  }

  TokenizerSpec& spec_;
  json config_, map_, listed_;
  std::string where_config_, where_listed_;
  std::unordered_map<std::string_view, TokenId> vocab_;
  std::unordered_map<std::string, TokenId> added_;
  TokenId next_ = 0;
  std::vector<std::string> special_;
};

}  // namespace

void add_special_tokens(const fs::path& directory, TokenizerSpec& spec) {
  Completion(directory, spec).run();
}

}  // namespace unmask
