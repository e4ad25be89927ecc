// The tokens of a vocabulary by their bytes, so that an automaton meets common beginnings once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace unmask {

/// Built once a model and shared by all automata. Immutable.
class VocabularyTrie {
 public:
  /// A beginning of tokens. Nodes stand in the order of a search from the root, which is left out:
  /// those below node i are i + 1 to `end` - 1.
  struct Node {
    uint8_t byte = 0;  // the last one of the beginning
    int depth = 0;     // bytes of the beginning, at least 1
    int end = 0;       // the first node that is not below this one
    int tokens_begin = 0;
    int tokens_end = 0;  // the tokens that end here, as indices into Trie::tokens
  };
  struct Trie {
    std::vector<Node> nodes;
    std::vector<TokenId> tokens;
    int deepest = 0;
  };

  /// `bytes[id]`: what token `id` adds to a text; empty for tokens that never may, such as masks
  /// and other special ones. `end_ids`, at least one and inside the vocabulary, end a text and add
  /// nothing, whatever `bytes` says.
  VocabularyTrie(std::span<const std::string> bytes, std::vector<TokenId> end_ids);

  int size() const { return static_cast<int>(characters_.size()); }
  const std::vector<TokenId>& end_ids() const { return end_ids_; }
  const Trie& all() const { return all_; }
  /// Without the tokens that are plain text: most automata move them by their length alone.
  const Trie& not_plain() const { return not_plain_; }
  /// Characters of a token of plain text, which are whole and may stand in a JSON string as they
  /// are; 0 for other tokens.
  int plain_characters(TokenId token) const { return characters_[static_cast<size_t>(token)]; }
  int most_plain_characters() const { return most_plain_characters_; }

 private:
  std::vector<TokenId> end_ids_;
  std::vector<int> characters_;
  int most_plain_characters_ = 0;
  Trie all_;
  Trie not_plain_;
};

}  // namespace unmask
