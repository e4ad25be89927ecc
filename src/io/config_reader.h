// Typed access to the keys of a model's JSON configuration, with errors that name file and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// A key that is absent and a key whose value is null mean the same, except to `require_present`.
/// Every function throws Error naming file and key when the value has another type or range.
class ConfigReader {
 public:
  /// Reads a file whose content must be a JSON object.
  explicit ConfigReader(const std::filesystem::path& path);
  /// The same from a text; `name` stands for the file in messages.
  ConfigReader(const std::string& text, const std::string& name);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Absent, null, false, or an empty list or object.
  bool is_off(std::string_view key) const;
  bool is_string(std::string_view key) const;
  /// All keys, in alphabetical order.
  std::vector<std::string> keys() const;

  /// An integer in [1, limit]; the key must be there.
  int size(std::string_view key, int limit) const;
  /// A positive finite number that float32 can hold; the key must be there.
  float positive(std::string_view key) const;
  /// true or false; the key must be there.
  bool flag(std::string_view key) const;

  std::optional<int> optional_int(std::string_view key) const;
  std::optional<float> optional_float(std::string_view key) const;
  std::optional<bool> optional_flag(std::string_view key) const;
  std::optional<std::string> optional_string(std::string_view key) const;
  /// Token ids of a key that holds one or a list of them; empty when absent. Each is >= 0.
  std::vector<TokenId> token_ids(std::string_view key) const;
  /// Strings of a key that holds a list of them; empty when absent.
  std::vector<std::string> strings(std::string_view key) const;
  /// The object of a key, whose messages name the key, too; none when absent or empty.
  std::optional<ConfigReader> section(std::string_view key) const;

  /// Throws unless the key is in the file, be it with the value null.
  void require_present(std::string_view key) const;
  /// Throws "not implemented" unless the key is there with exactly this value.
  void require(std::string_view key, const nlohmann::json& expected) const;
  /// Throws "not implemented" when the key is there with another value.
  void accept_only(std::string_view key, const nlohmann::json& expected) const;

  /// Throws Error "[config] FILE: key 'KEY' WHAT".
  [[noreturn]] void reject(std::string_view key, std::string_view what) const;
  /// "[config] FILE", for messages.
  const std::string& where() const { return where_; }

 private:
  /// The object `values` inside another one.
  ConfigReader(const ConfigReader& outer, std::string_view key, const nlohmann::json& values);
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& get(std::string_view key) const;
  int64_t integer(std::string_view key, const nlohmann::json& value, int64_t low,
                  int64_t high) const;

  std::string where_;
  nlohmann::json values_;
};

}  // namespace unmask
