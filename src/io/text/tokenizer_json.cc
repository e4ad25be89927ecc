// Reader of tokenizer.json, the schema of the Hugging Face tokenizers library, as far as byte-level
// BPE goes. truncation and padding act around encoding and are left to the caller.
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "io/json_file.h"
#include "io/text/tokenizer_spec.h"
#include "io/text/vocab_json.h"

namespace unmask {

using nlohmann::json;

namespace {

/// The pattern of a ByteLevel step that cuts by itself (use_regex), as in GPT-2.
constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class TokenizerJsonReader {
 public:
  explicit TokenizerJsonReader(const std::filesystem::path& file)
      : where_(fmt::format("[tokenizer] {}", file.string())),
        root_(parse_json(read_text_file(file, JsonLimits{}.max_bytes), where_)) {
    spec_.origin = file.string();
  }

  TokenizerSpec read() {
    if (!root_.is_object()) fail("{}: found {}, expected an object", where_, root_.type_name());
    read_normalizer(optional(root_, "normalizer"));
    read_pre_tokenizer(required(root_, "pre_tokenizer"));
    if (!byte_level_) fail("{}: key 'pre_tokenizer' has no ByteLevel step", where_);
    check_decoder(required(root_, "decoder"));
    read_model(required(root_, "model"));
    read_added_tokens(optional(root_, "added_tokens"));
    read_post_processor(optional(root_, "post_processor"), where_, spec_);
    return std::move(spec_);
  }

 private:
  const json& optional(const json& object, const char* key) const {
    static const json absent;
    const auto found = object.find(key);
    return found == object.end() ? absent : *found;
  }

  const json& required(const json& object, const char* key) const {
    const json& value = optional(object, key);
    if (value.is_null()) fail("{}: key '{}' is missing", where_, key);
    return value;
  }

  std::string type_of(const json& step, std::string_view what) const {
    if (!step.is_object()) fail("{}: key '{}' must hold objects", where_, what);
    const json& type = required(step, "type");
    if (!type.is_string()) fail("{}: key 'type' in '{}' must be a string", where_, what);
    return type.get<std::string>();
  }

  /// `fallback` is the reference's value for an absent key.
  bool flag(const json& object, const char* key, bool fallback) const {
    const json& value = optional(object, key);
    if (value.is_null()) return fallback;
    if (!value.is_boolean()) fail("{}: key '{}' must be true or false", where_, key);
    return value.get<bool>();
  }

  void read_normalizer(const json& step) {
    if (step.is_null()) return;
    const std::string type = type_of(step, "normalizer");
    if (type == "NFC") {
      spec_.nfc = true;
    } else if (type == "Sequence") {
      for (const json& part : list(step, "normalizers")) read_normalizer(part);
    } else {
      fail("{}: normalizer '{}' is not supported, only NFC is", where_, printable(type));
    }
  }

  const json& list(const json& object, const char* key) const {
    const json& value = required(object, key);
    if (!value.is_array()) fail("{}: key '{}' must be a list", where_, key);
    return value;
  }

  void read_pre_tokenizer(const json& step) {
    const std::string type = type_of(step, "pre_tokenizer");
    if (type == "Sequence") {
      for (const json& part : list(step, "pretokenizers")) read_pre_tokenizer(part);
      return;
    }
    // What follows would see the byte alphabet instead of the text.
    if (byte_level_) fail("{}: pre_tokenizer '{}' after ByteLevel", where_, printable(type));
    if (type == "Split") {
      read_split(step);
    } else if (type == "ByteLevel") {
      read_byte_level(step);
    } else {
      fail("{}: pre_tokenizer '{}' is not supported, only Split and ByteLevel are", where_,
           printable(type));
    }
  }

  void read_split(const json& step) {
    if (optional(step, "behavior") != json("Isolated")) {
      fail("{}: key 'behavior' of Split is not supported, only Isolated is", where_);
    }
    if (flag(step, "invert", false)) fail("{}: key 'invert' of Split is not supported", where_);
    const json& pattern = required(step, "pattern");
    const json& regex = pattern.is_object() ? optional(pattern, "Regex") : json();
    if (!regex.is_string()) fail("{}: key 'pattern' of Split must hold a 'Regex'", where_);
    spec_.patterns.push_back(regex.get<std::string>());
  }

  void read_byte_level(const json& step) {
    byte_level_ = true;
    if (flag(step, "add_prefix_space", true)) {
      fail("{}: key 'add_prefix_space' of ByteLevel is not supported", where_);
    }
    if (flag(step, "use_regex", true)) spec_.patterns.emplace_back(kByteLevelPattern);
  }

  void check_decoder(const json& step) const {
    const std::string type = type_of(step, "decoder");
    if (type == "Sequence") {
      const json& parts = list(step, "decoders");
      if (parts.size() == 1) return check_decoder(parts.front());
    }
    if (type != "ByteLevel") {
      fail("{}: decoder '{}' is not supported, only ByteLevel is", where_, printable(type));
    }
  }

  void read_model(const json& model) {
    // Old files do not name the type; only BPE has merges.
    const bool untyped = model.is_object() && !model.contains("type") && model.contains("merges");
    const std::string type = untyped ? "BPE" : type_of(model, "model");
    if (type != "BPE") {
      fail("{}: model '{}' is not supported, only BPE is", where_, printable(type));
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& value = optional(model, key);
      if (!value.is_null() && value != json("")) fail("{}: key '{}' is not supported", where_, key);
    }
    const json& dropout = optional(model, "dropout");
    if (!dropout.is_null() && dropout != json(0.0)) {
      fail("{}: key 'dropout' is not supported", where_);
    }
    if (flag(model, "byte_fallback", false)) {
      fail("{}: key 'byte_fallback' is not supported", where_);
    }
    spec_.ignore_merges = flag(model, "ignore_merges", false);
    spec_.vocab = read_vocab(required(model, "vocab"), where_);
    for (const json& merge : list(model, "merges")) read_merge(merge);
  }

  void read_merge(const json& merge) {
    if (merge.is_string()) {
      const auto& line = merge.get_ref<const std::string&>();
      if (spec_.merges.empty() && line.starts_with("#version")) return;
      spec_.merges.push_back(split_merge(line, where_));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      spec_.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else {
      fail("{}: merge {}: expected \"a b\" or [\"a\", \"b\"]", where_, spec_.merges.size());
    }
  }

  void read_added_tokens(const json& tokens) {
    if (tokens.is_null()) return;
    if (!tokens.is_array()) fail("{}: key 'added_tokens' must be a list", where_);
    for (const json& token : tokens) {
      if (!token.is_object()) fail("{}: key 'added_tokens' must hold objects", where_);
      const TokenId id = read_token_id(required(token, "id"), where_);
      spec_.added.push_back(read_added_token(token, id, where_));
    }
  }

  std::string where_;
  json root_;
  TokenizerSpec spec_;
  bool byte_level_ = false;
};

}  // namespace

TokenizerSpec read_tokenizer_json(const std::filesystem::path& file) {
  return TokenizerJsonReader(file).read();
}

}  // namespace unmask
