// Byte-level BPE tokenizers as published with the models: tokenizer.json, or vocab.json with
// merges.txt and the added tokens of tokenizer_config.json, or the metadata of a GGUF file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/text/prompt_text.h"
#include "io/text/utf8.h"

namespace unmask {

struct TokenizerSpec;

/// Whether `directory` holds a tokenizer, or is a GGUF file.
bool has_tokenizer(const std::filesystem::path& directory);

struct DecodeOptions {
  bool skip_special = false;  // drop tokens flagged special, keep other added tokens
};

/// Immutable once loaded, hence safe to use from several threads.
class Tokenizer {
 public:
  /// Reads the tokenizer of a model directory or GGUF file. Throws Error with a one-line reason.
  static Tokenizer load(const std::filesystem::path& directory);
  /// Builds a tokenizer from data that came from elsewhere. Throws Error when ids or merges do not
  /// fit together.
  static Tokenizer build(const TokenizerSpec& spec);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of `text`; added tokens inside the text are recognised, none are put around it. Invalid
  /// UTF-8 is replaced by U+FFFD, one per maximal invalid subpart, before anything else.
  std::vector<TokenId> encode(std::string_view text) const { return encode(PromptText(text)); }
  /// The same, but added tokens are recognised only where the text is not quoted.
  std::vector<TokenId> encode(const PromptText& text) const;
  /// The same of a prompt, with the tokens that the tokenizer's post-processor puts around it.
  /// deviation: a text that begins with them already gets no second ones.
  std::vector<TokenId> encode_prompt(std::string_view text) const;
  /// The same of the beginning of a prompt, and what its end has.
  std::vector<TokenId> encode_beginning(std::string_view text) const;
  const std::vector<TokenId>& after_prompt() const;
  /// Text of `ids`, always valid UTF-8; unknown ids are dropped.
  std::string decode(std::span<const TokenId> ids, DecodeOptions options = {}) const;

  /// Text of one token as raw bytes, which may be part of a character; empty for unknown ids.
  std::string token_bytes(TokenId id) const;
  /// Id of an added token by its exact text, e.g. "<|eot_id|>".
  std::optional<TokenId> added_token(std::string_view text) const;
  /// Id of the token that the files name for a role, e.g. "mask_token". Without a name, masks have
  /// the usual ones: an added token such as "<|mdm_mask|>" or "<mask>", when there is exactly one.
  std::optional<TokenId> token_of_role(std::string_view role) const;
  /// Whether `text` is one token, as the markers of a chat template must be.
  bool is_token(std::string_view text) const;
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
