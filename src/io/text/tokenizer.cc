#include "io/text/tokenizer.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "io/text/added_tokens.h"
#include "io/text/bpe.h"
#include "io/text/byte_alphabet.h"
#include "io/text/pretokenizer.h"
#include "io/text/tokenizer_spec.h"

namespace unmask {

namespace {

/// Positions inside a text are kept in an int.
constexpr size_t kMaxTextBytes = std::numeric_limits<int>::max();

struct Token {
  std::string bytes;
  bool special = false;
};

}  // namespace

struct Tokenizer::Data {
  bool nfc = false;
  bool ignore_merges = false;
  std::vector<SplitPattern> patterns;
  BpeModel bpe;
  std::unordered_map<TokenId, Token> tokens;
  std::unordered_map<std::string, TokenId> whole_pieces;  // filled for ignore_merges only
  std::unordered_map<std::string, TokenId> added;
  AddedTokenFinder raw_added;         // searched in the text as it is
  AddedTokenFinder normalized_added;  // searched after NFC
  TokenId max_id = -1;
  std::map<std::string, TokenId, std::less<>> roles;
  std::vector<TokenId> before, after;  // of a prompt
};

namespace {

/// Fills Data and checks that ids and merges fit together. A template only because Tokenizer keeps
/// the name of its Data private.
template <typename Data>
class Builder {
 public:
  Builder(const TokenizerSpec& spec, Data& data) : spec_(spec), data_(data) {}

  void run() {
    data_.nfc = spec_.nfc;
    data_.ignore_merges = spec_.ignore_merges;
    for (const std::string& pattern : spec_.patterns) add_pattern(pattern);
    add_vocab();
    add_merges();
    for (const AddedToken& token : spec_.added) add_token(token);
    add_roles();
    add_around(spec_.before, data_.before);
    add_around(spec_.after, data_.after);
  }

 private:
  void add_pattern(const std::string& pattern) {
    try {
      data_.patterns.emplace_back(pattern);
    } catch (const Error& error) {
      fail("[tokenizer] {}: {}", spec_.origin, error.what());
    }
  }

  void add_id(TokenId id, Token token) {
    if (id < 0) fail("[tokenizer] {}: token id {} is negative", spec_.origin, id);
    if (!data_.tokens.emplace(id, std::move(token)).second) {
      fail("[tokenizer] {}: two tokens share the id {}", spec_.origin, id);
    }
    data_.max_id = std::max(data_.max_id, id);
  }

  void add_vocab() {
    data_.tokens.reserve(spec_.vocab.size() + spec_.added.size());
    ids_.reserve(spec_.vocab.size());
    for (const auto& [text, id] : spec_.vocab) {
      // Some files carry added tokens in the vocabulary, as plain text.
      std::string bytes = alphabet_to_bytes(text).value_or(text);
      if (spec_.ignore_merges) data_.whole_pieces.emplace(bytes, id);
      add_id(id, {.bytes = std::move(bytes)});
      if (!ids_.emplace(text, id).second) {
        fail("[tokenizer] {}: token '{}' occurs twice", spec_.origin, printable(text));
      }
    }
    for (int byte = 0; byte < 256; ++byte) add_byte(static_cast<uint8_t>(byte));
  }

  void add_byte(uint8_t byte) {
    const auto found = ids_.find(byte_to_alphabet(byte));
    if (found != ids_.end()) {
      data_.bpe.set_byte(byte, found->second);
    } else if (byte < 0xC0 || (byte > 0xC1 && byte < 0xF5)) {  // the others never occur in UTF-8
      fail("[tokenizer] {}: the vocabulary has no token for byte 0x{:02x}", spec_.origin, byte);
    }
  }

  void add_merges() {
    data_.bpe.reserve_merges(spec_.merges.size());
    int rank = 0;
    for (const auto& [left, right] : spec_.merges) {
      const TokenId merged = id_of(left + right);
      data_.bpe.set_merge(id_of(left), id_of(right), {.rank = rank, .result = merged});
      ++rank;
    }
  }

  TokenId id_of(std::string_view text) const {
    const auto found = ids_.find(text);
    if (found == ids_.end()) {
      fail("[tokenizer] {}: '{}' of the merges is not in the vocabulary", spec_.origin,
           printable(text));
    }
    return found->second;
  }

  void add_token(const AddedToken& token) {
    if (token.text.empty()) {
      fail("[tokenizer] {}: added token {} has no text", spec_.origin, token.id);
    }
    if (!data_.added.emplace(token.text, token.id).second) {
      fail("[tokenizer] {}: added token '{}' occurs twice", spec_.origin, printable(token.text));
    }
    const auto known = ids_.find(token.text);
    if (known == ids_.end()) {
      add_id(token.id, {.bytes = token.text, .special = token.special});
    } else if (known->second == token.id) {
      data_.tokens.at(token.id) = {.bytes = token.text, .special = token.special};
    } else {
      fail("[tokenizer] {}: added token '{}' has the id {}, in the vocabulary it has {}",
           spec_.origin, printable(token.text), token.id, known->second);
    }
    if (token.normalized && spec_.nfc) {
      data_.normalized_added.add(normalize_nfc(token.text), token.id);
    } else {
      data_.raw_added.add(token.text, token.id);
    }
  }

  void add_roles() {
    for (const auto& [role, text] : spec_.roles) {
      const auto added = data_.added.find(text);
      const auto plain = ids_.find(text);
      if (added != data_.added.end()) {
        data_.roles.emplace(role, added->second);
      } else if (plain != ids_.end()) {
        data_.roles.emplace(role, plain->second);
      }
    }
  }

  void add_around(const std::vector<TokenId>& ids, std::vector<TokenId>& out) const {
    for (const TokenId id : ids) {
      if (data_.tokens.contains(id)) continue;
      fail("[tokenizer] {}: the post-processor adds the token {}, which does not exist",
           spec_.origin, id);
    }
    out = ids;
  }

  const TokenizerSpec& spec_;
  Data& data_;
  std::unordered_map<std::string_view, TokenId> ids_;  // by text in the byte alphabet
};

/// Calls `on_text` for the stretches of `text` between added tokens, from begin to end, and
/// `on_token` for the tokens, which lie in one of `open`.
template <typename OnText, typename OnToken>
void for_each_stretch(std::string_view text, std::span<const PromptText::Stretch> open,
                      const AddedTokenFinder& finder, const OnText& on_text,
                      const OnToken& on_token) {
  size_t done = 0;
  for (const PromptText::Stretch& stretch : open) {
    size_t from = stretch.begin;
    while (const auto match = finder.find(text.substr(0, stretch.end), from)) {
      if (match->begin > done) on_text(done, match->begin);
      on_token(match->id);
      done = from = match->end;
    }
  }
  if (done < text.size()) on_text(done, text.size());
}

std::vector<std::string_view> cut(std::string_view text,
                                  const std::vector<SplitPattern>& patterns) {
  std::vector<std::string_view> pieces = {text};
  for (const SplitPattern& pattern : patterns) {
    std::vector<std::string_view> finer;
    for (const std::string_view piece : pieces) pattern.split(piece, finer);
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& directory) {
  return build(read_tokenizer_spec(directory));
}

Tokenizer Tokenizer::build(const TokenizerSpec& spec) {
  auto data = std::make_unique<Data>();
  Builder(spec, *data).run();
  return Tokenizer(std::move(data));
}

std::vector<TokenId> Tokenizer::encode(const PromptText& prompt) const {
  const std::string_view text = prompt.text();
  if (text.size() > kMaxTextBytes) {
    fail("[tokenizer] a text of {} bytes, at most {} can be encoded", text.size(), kMaxTextBytes);
  }
  std::vector<TokenId> ids;
  BpeEncoder encoder(data_->bpe);
  const auto add_id = [&](TokenId id) { ids.push_back(id); };
  const auto add_piece = [&](std::string_view piece) {
    if (data_->ignore_merges) {
      const auto whole = data_->whole_pieces.find(std::string(piece));
      if (whole != data_->whole_pieces.end()) return add_id(whole->second);
    }
    encoder.encode(piece, ids);
  };
  const auto add_plain = [&](std::string_view plain) {
    for (const std::string_view piece : cut(plain, data_->patterns)) add_piece(piece);
  };
  const auto add_raw = [&](size_t begin, size_t end) {
    const std::string_view raw = text.substr(begin, end - begin);
    const std::string normal = data_->nfc ? normalize_nfc(raw) : std::string(raw);
    // Where in it the quoted parts are by now is not known, so beside them nothing is a token.
    if (prompt.is_quoted(begin, end)) return add_plain(normal);
    const PromptText::Stretch all{0, normal.size()};
    const auto add_part = [&](size_t first, size_t last) {
      add_plain(std::string_view(normal).substr(first, last - first));
    };
    for_each_stretch(normal, {&all, 1}, data_->normalized_added, add_part, add_id);
  };
  for_each_stretch(text, prompt.open(), data_->raw_added, add_raw, add_id);
  return ids;
}

std::vector<TokenId> Tokenizer::encode_beginning(std::string_view text) const {
  std::vector<TokenId> ids = encode(text);
  const std::vector<TokenId>& before = data_->before;
  const bool has_them =
      ids.size() >= before.size() && std::equal(before.begin(), before.end(), ids.begin());
  if (!has_them) ids.insert(ids.begin(), before.begin(), before.end());
  return ids;
}

std::vector<TokenId> Tokenizer::encode_prompt(std::string_view text) const {
  std::vector<TokenId> ids = encode_beginning(text);
  ids.insert(ids.end(), data_->after.begin(), data_->after.end());
  return ids;
}

const std::vector<TokenId>& Tokenizer::after_prompt() const { return data_->after; }

std::string Tokenizer::decode(std::span<const TokenId> ids, DecodeOptions options) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (options.skip_special && is_special(id)) continue;
    const auto found = data_->tokens.find(id);
    if (found != data_->tokens.end()) bytes += found->second.bytes;
  }
  return sanitize_utf8(bytes);
}

std::string Tokenizer::token_bytes(TokenId id) const {
  const auto found = data_->tokens.find(id);
  return found == data_->tokens.end() ? std::string() : found->second.bytes;
}

std::optional<TokenId> Tokenizer::added_token(std::string_view text) const {
  const auto found = data_->added.find(std::string(text));
  if (found == data_->added.end()) return std::nullopt;
  return found->second;
}

std::optional<TokenId> Tokenizer::token_of_role(std::string_view role) const {
  const auto found = data_->roles.find(role);
  if (found != data_->roles.end()) return found->second;
  if (role != "mask_token") return std::nullopt;
  std::optional<TokenId> only;
  for (const char* usual : {"<|mdm_mask|>", "<|mask|>", "<|MASK|>", "<mask>", "[MASK]"}) {
    const auto id = added_token(usual);
    if (id && only) return std::nullopt;
    if (id) only = id;
  }
  return only;
}

bool Tokenizer::is_token(std::string_view text) const {
  return added_token(text).has_value() || encode(text).size() == 1;
}

bool Tokenizer::is_special(TokenId id) const {
  const auto found = data_->tokens.find(id);
  return found != data_->tokens.end() && found->second.special;
}

int Tokenizer::size() const { return static_cast<int>(data_->tokens.size()); }

TokenId Tokenizer::max_id() const { return data_->max_id; }

}  // namespace unmask
