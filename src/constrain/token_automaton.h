// An automaton over bytes lifted to the tokens of a vocabulary (DINGO, arXiv 2505.23061): tokens
// that move every state alike form one class.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "constrain/automaton.h"
#include "constrain/vocabulary_trie.h"

namespace unmask {

/// States are those of the byte automaton and one behind the end of the text, where only end tokens
/// may follow. Immutable.
class TokenAutomaton {
 public:
  static constexpr int kUnreachable = std::numeric_limits<int>::max();
  struct Edge {
    int from = 0;
    int to = 0;
  };

  /// Throws Error (code `schema`) when the lift would be too large or no text of the language can
  /// be written with these tokens.
  TokenAutomaton(const Automaton& bytes, const VocabularyTrie& vocabulary);

  int n_states() const { return n_states_; }
  static constexpr int start() { return Automaton::start(); }
  int end_state() const { return n_states_ - 1; }
  /// Fewest tokens from `state` to a whole text, end tokens not counted.
  int distance(int state) const { return distance_[static_cast<size_t>(state)]; }

  int n_tokens() const { return static_cast<int>(class_of_.size()); }
  /// Classes are numbered by their lowest token. Tokens that fit nowhere form a class without
  /// edges.
  int n_classes() const { return static_cast<int>(first_tokens_.size()); }
  /// [n_tokens]
  std::span<const int> classes() const { return class_of_; }
  /// [n_classes] the lowest token of each class.
  std::span<const TokenId> first_tokens() const { return first_tokens_; }
  /// Whether `token_class` has only its lowest token.
  bool is_single(int token_class) const { return single_[static_cast<size_t>(token_class)] != 0; }
  /// By ascending `from`, which is unique.
  std::span<const Edge> edges(int token_class) const {
    const auto c = static_cast<size_t>(token_class);
    return std::span(edges_).subspan(edge_begin_[c], edge_begin_[c + 1] - edge_begin_[c]);
  }
  size_t n_edges() const { return edges_.size(); }
  /// The state after `token`, Automaton::kNone where it does not fit.
  int next(int state, TokenId token) const;

 private:
  void measure_distances(const Automaton& bytes);

  int n_states_ = 0;
  std::vector<int> distance_;          // [n_states]
  std::vector<int> class_of_;          // [n_tokens]
  std::vector<TokenId> first_tokens_;  // [n_classes]
  std::vector<uint8_t> single_;        // [n_classes], 0 or 1
  std::vector<size_t> edge_begin_;     // [n_classes + 1]
  std::vector<Edge> edges_;
};

}  // namespace unmask
