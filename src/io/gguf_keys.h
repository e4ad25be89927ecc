// Typed access to the metadata of a GGUF file, with errors that name file and key.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/dtype.h"
#include "io/containers/gguf.h"

namespace unmask {

/// Every function throws Error naming file and key when the key is missing, unless it says
/// otherwise, and when the value has another type or range. The file outlives it.
class GgufKeys {
 public:
  explicit GgufKeys(const GgufFile& file) : file_(file), where_("[gguf] " + file.path().string()) {}

  /// "[gguf] FILE", for messages.
  const std::string& where() const { return where_; }
  bool has(const std::string& key) const { return find(key) != nullptr; }

  /// An integer in [low, high] of any integer type.
  int integer(const std::string& key, int low, int high) const;
  /// An integer in [1, limit].
  int size(const std::string& key, int limit) const { return integer(key, 1, limit); }
  /// The same of a key that may be absent.
  std::optional<int> optional_size(const std::string& key, int limit) const;
  /// A positive finite number that float32 can hold.
  float positive(const std::string& key) const;
  std::optional<float> optional_positive(const std::string& key) const;
  /// `fallback` where the key is absent.
  bool flag(const std::string& key, bool fallback) const;
  std::string_view text(const std::string& key) const;
  std::optional<std::string_view> optional_text(const std::string& key) const;
  const GgufArray& array(const std::string& key, GgufType element) const;
  /// A token id in [0, vocab_size); none where the key is absent.
  std::optional<TokenId> token_id(const std::string& key, int vocab_size) const;

  /// Throws Error "[gguf] FILE: key 'KEY' WHAT".
  [[noreturn]] void reject(std::string_view key, std::string_view what) const;

 private:
  const GgufValue* find(const std::string& key) const;
  const GgufValue& get(const std::string& key) const;
  [[noreturn]] void wrong_type(const std::string& key, const GgufValue& value,
                               std::string_view expected) const;

  const GgufFile& file_;
  std::string where_;
};

}  // namespace unmask
