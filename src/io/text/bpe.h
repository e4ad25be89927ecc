// Byte-pair encoding: the pair of neighbours with the lowest rank is merged until none is left.
// Sennrich et al. 2016, arXiv 1508.07909, on bytes as in GPT-2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// Starting ids of the 256 bytes and the merges by rank.
class BpeModel {
 public:
  struct Merge {
    int rank = 0;
    TokenId result = 0;
  };

  BpeModel() { byte_ids_.fill(-1); }

  void set_byte(uint8_t byte, TokenId id) { byte_ids_[byte] = id; }
  TokenId byte_id(uint8_t byte) const { return byte_ids_[byte]; }
  void reserve_merges(size_t count) { merges_.reserve(count); }
  /// A pair given twice keeps the later rank, as in the reference.
  void set_merge(TokenId left, TokenId right, Merge merge) { merges_[key(left, right)] = merge; }
  /// Null when the pair does not merge.
  const Merge* find(TokenId left, TokenId right) const {
    const auto found = merges_.find(key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

 private:
  static uint64_t key(TokenId left, TokenId right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) |
           static_cast<uint32_t>(right);
  }

  std::array<TokenId, 256> byte_ids_{};
  std::unordered_map<uint64_t, Merge> merges_;
};

/// Encodes piece after piece, reusing its working memory. One per thread.
class BpeEncoder {
 public:
  explicit BpeEncoder(const BpeModel& model) : model_(&model) {}

  /// Appends the ids of `piece` (less than 2^31 bytes) in O(n log n). Bytes without an id are left
  /// out.
  void encode(std::string_view piece, std::vector<TokenId>& ids);

 private:
  struct Symbol {
    TokenId id = 0;
    int previous = 0;
    int next = 0;
  };
  /// A possible merge of the symbol at `position` with its right neighbour, as seen when queued.
  struct Candidate {
    int rank = 0;
    int position = 0;
    TokenId left = 0;
    TokenId right = 0;
  };
  static bool comes_later(const Candidate& a, const Candidate& b);

  std::optional<Candidate> candidate_at(int position) const;
  void enqueue(int position);
  void merge_all();
  void apply(const Candidate& candidate);

  const BpeModel* model_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;  // a heap, the lowest rank at the front
};

}  // namespace unmask
