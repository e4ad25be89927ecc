// Finds added tokens in text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// A set of strings and their ids, searched from left to right; at each position the longest wins.
class AddedTokenFinder {
 public:
  struct Match {
    size_t begin = 0;
    size_t end = 0;
    TokenId id = 0;
  };

  /// `text` must not be empty; a text given before gets the new id.
  void add(std::string_view text, TokenId id);
  /// The first match at or after `from`.
  std::optional<Match> find(std::string_view text, size_t from) const;

 private:
  static constexpr TokenId kNoToken = -1;

  static uint64_t edge(size_t node, char c) {
    return (static_cast<uint64_t>(node) << 8) | static_cast<uint8_t>(c);
  }
  std::optional<Match> match_at(std::string_view text, size_t begin) const;

  std::vector<TokenId> ends_ = {kNoToken};  // by node of the prefix tree; node 0 is the root
  std::unordered_map<uint64_t, size_t> edges_;
  std::array<bool, 256> starts_{};  // bytes that begin a token
};

}  // namespace unmask
