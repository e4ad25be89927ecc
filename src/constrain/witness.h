// Which tokens keep a canvas completable, whatever their order: all open positions of a block get
// the tokens of one path through the automaton, the most probable one, and any of them may be
// decided because the path itself shows that the others can follow (Viterbi search of DINGO, arXiv
// 2505.23061, repeated in each step).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "constrain/token_automaton.h"

namespace unmask {

/// The best token of each class at one position.
struct ClassMaxima {
  std::vector<float> scores;    // [n_classes]
  std::vector<TokenId> tokens;  // [n_classes], the lowest among equals
};

/// Reduces `row`, log-probabilities or logits of at least n_tokens tokens, perturbed ones where a
/// temperature asks for it. `maxima` is overwritten and may be used again.
void class_maxima(std::span<const float> row, const TokenAutomaton& automaton, ClassMaxima& maxima);

/// What the path puts at an open position.
struct WitnessToken {
  TokenId token = 0;
  float score = 0;      // of the row, as given
  bool forced = false;  // no other token is possible here, whatever the rest becomes
};

struct WitnessPath {
  std::vector<WitnessToken> open;  // ascending positions
  std::optional<int> end{};        // where in the block the first end token stands, if any does
  bool hurried = false;            // a better path was refused since it would not close in time
};

/// A block as the search sees it.
struct WitnessBlock {
  std::span<const TokenId> tokens;
  TokenId mask_id = 0;
  int behind = 0;  // positions of the canvas behind the block, all of them masks
};

/// One sequence's way through the automaton.
class Witness {
 public:
  /// Throws Error (code `schema`) with both numbers when no text fits into `length` tokens.
  Witness(std::shared_ptr<const TokenAutomaton> automaton, int length);

  const TokenAutomaton& automaton() const { return *automaton_; }
  /// In front of the current block.
  int state() const { return state_; }

  /// The path with the largest sum of scores, summed in float64; scores below -1e9 and NaN count
  /// as that, so that every token stays possible. Among equals the earlier class wins, then the
  /// lower state. `open`: one entry for each mask of the block, ascending; an entry without
  /// scores stands for a position that is not known yet, where all classes are equal. Throws Error
  /// when the tokens of the block that are no masks fit into no text.
  WitnessPath search(const WitnessBlock& block, std::span<const ClassMaxima> open) const;

  /// Moves behind a block without masks. Throws Error when it fits into no text.
  void advance(std::span<const TokenId> block);

 private:
  std::shared_ptr<const TokenAutomaton> automaton_;
  int state_ = 0;
};

}  // namespace unmask
