// Byte-level BPE tokenizers as published with the models: tokenizer.json, or vocab.json with
// merges.txt and the added tokens of tokenizer_config.json.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/text/utf8.h"

namespace unmask {

struct TokenizerSpec;

struct DecodeOptions {
  bool skip_special = false;  // drop tokens flagged special, keep other added tokens
};

/// Immutable once loaded, hence safe to use from several threads.
class Tokenizer {
 public:
  /// Reads the tokenizer of a model directory. Throws Error with a one-line reason.
  static Tokenizer load(const std::filesystem::path& directory);
  /// Builds a tokenizer from data that came from elsewhere. Throws Error when ids or merges do not
  /// fit together.
  static Tokenizer build(const TokenizerSpec& spec);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of `text`; added tokens inside the text are recognised, none are put around it. Invalid
  /// UTF-8 is replaced by U+FFFD, one per maximal invalid subpart, before anything else.
  std::vector<TokenId> encode(std::string_view text) const;
  /// Text of `ids`, always valid UTF-8; unknown ids are dropped.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  /// Text of one token as raw bytes, which may be part of a character; empty for unknown ids.
  std::string token_bytes(TokenId id) const;
  /// Id of an added token by its exact text, e.g. "<|eot_id|>".
  std::optional<TokenId> added_token(std::string_view text) const;
  bool is_special(TokenId id) const;
  /// Number of known tokens, added ones included.
  int size() const;
  /// Largest known id.
  TokenId max_id() const;

 private:
  struct Data;
  explicit Tokenizer(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

/// Turns tokens that arrive from left to right into text without ever emitting half a character.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options)
      : tokenizer_(&tokenizer), options_(options) {}
  /// Text that became complete by `id`; possibly empty.
  std::string push(TokenId id);
  /// What is left at the end; broken characters become U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  std::string pending_;
};

}  // namespace unmask
