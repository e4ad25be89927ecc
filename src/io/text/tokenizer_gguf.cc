// Reader of the tokenizer in the metadata of a GGUF file: byte-level BPE ("gpt2") as diffusion
// models have it.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "io/gguf_keys.h"
#include "io/text/tokenizer_spec.h"
#include "io/text/vocab_json.h"

namespace unmask {

namespace {

const std::string kPrefix = "tokenizer.ggml.";

/// What tokenizer.ggml.token_type says of a token.
enum class TokenType : int32_t { normal = 1, unknown, control, user_defined, unused };

void check_kind(const GgufKeys& keys) {
  const std::string_view model = keys.text(kPrefix + "model");
  if (model != "gpt2") {
    keys.reject(
        kPrefix + "model",
        fmt::format("is '{}', only byte-level BPE, 'gpt2', is implemented", printable(model)));
  }
  // Measured on 200,000 strings: all of them cut alike.
  constexpr std::array kKnown{"qwen2", "bailingmoe", "bailingmoe2", "llada-moe"};
  const std::string_view pre = keys.text(kPrefix + "pre");
  if (std::find(kKnown.begin(), kKnown.end(), pre) != kKnown.end()) return;
  keys.reject(kPrefix + "pre",
              fmt::format("is '{}', expected one of {}", printable(pre), fmt::join(kKnown, ", ")));
}

/// By token; all normal where the file does not say.
std::vector<TokenType> read_types(const GgufKeys& keys, size_t n_tokens) {
  std::vector<TokenType> types(n_tokens, TokenType::normal);
  const std::string key = kPrefix + "token_type";
  if (!keys.has(key)) return types;
  const GgufArray& stored = keys.array(key, GgufType::i32);
  if (stored.count != n_tokens) {
    keys.reject(key, fmt::format("has {} entries, expected {}", stored.count, n_tokens));
  }
  std::memcpy(types.data(), stored.bytes.data(), stored.bytes.size());
  for (size_t i = 0; i < n_tokens; ++i) {
    if (types[i] >= TokenType::normal && types[i] <= TokenType::unused) continue;
    keys.reject(key, fmt::format("says {} of token {}, expected 1 to 5",
                                 static_cast<int32_t>(types[i]), i));
  }
  return types;
}

void add_tokens(const GgufKeys& keys, const std::vector<std::string_view>& tokens,
                TokenizerSpec& spec) {
  const std::vector<TokenType> types = read_types(keys, tokens.size());
  spec.vocab.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    switch (types[i]) {
      case TokenType::normal: spec.vocab.emplace_back(tokens[i], id); break;
      case TokenType::unknown:
      case TokenType::control:
        spec.added.push_back({.id = id, .text = std::string(tokens[i]), .special = true});
        break;
      case TokenType::user_defined:
        spec.added.push_back({.id = id, .text = std::string(tokens[i])});
        break;
      case TokenType::unused: break;  // a row of the embedding without a text
    }
  }
}

void add_roles(const GgufKeys& keys, const std::vector<std::string_view>& tokens,
               TokenizerSpec& spec) {
  constexpr std::array kTokenRoles{std::pair{"bos", "bos_token"}, std::pair{"eos", "eos_token"},
                                   std::pair{"padding", "pad_token"},
                                   std::pair{"mask", "mask_token"}};
  const auto n = static_cast<int>(tokens.size());
  for (const auto& [key, role] : kTokenRoles) {
    const auto id = keys.token_id(fmt::format("{}{}_token_id", kPrefix, key), n);
    if (id) spec.roles.emplace(role, tokens[static_cast<size_t>(*id)]);
  }
  const auto around = [&](const char* flag, const char* id_key, std::vector<TokenId>& ids) {
    if (!keys.flag(kPrefix + flag, false)) return;
    const auto id = keys.token_id(kPrefix + id_key, n);
    if (!id) keys.reject(kPrefix + id_key, fmt::format("is missing, but {} is set", flag));
    ids = {*id};
  };
  around("add_bos_token", "bos_token_id", spec.before);
  around("add_eos_token", "eos_token_id", spec.after);
}

}  // namespace

TokenizerSpec read_gguf_tokenizer(const std::filesystem::path& file) {
  const GgufFile gguf(file);
  const GgufKeys keys(gguf);
  check_kind(keys);
  const GgufArray& tokens = keys.array(kPrefix + "tokens", GgufType::string);
  if (tokens.count < 1 || tokens.count > static_cast<uint64_t>(kTokenIdLimit)) {
    keys.reject(kPrefix + "tokens", fmt::format("has {} entries", tokens.count));
  }
  TokenizerSpec spec{.origin = file.string()};
  // Files have no word for it; the tokenizers of these models normalise.
  spec.nfc = keys.text(kPrefix + "pre") == "qwen2" ||
             keys.optional_text("general.architecture").value_or("") == "dream";
  spec.patterns.emplace_back(kQwen2Pattern);
  add_tokens(keys, tokens.strings, spec);
  const GgufArray& merges = keys.array(kPrefix + "merges", GgufType::string);
  spec.merges.reserve(merges.strings.size());
  for (const std::string_view merge : merges.strings) {
    spec.merges.push_back(split_merge(merge, keys.where()));
  }
  add_roles(keys, tokens.strings, spec);
  return spec;
}

}  // namespace unmask
