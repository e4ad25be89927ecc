// Deterministic automata over bytes: which byte strings belong to a regular language.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "constrain/expression.h"

namespace unmask {

/// Every state can still reach an accepting one. Immutable.
class Automaton {
 public:
  static constexpr int kNone = -1;

  /// The smallest automaton of `expression`'s language, state 0 first. Throws Error (code `schema`)
  /// starting with `where` when the language is empty or has more than 4,096 states,
  /// or when finding out would take more than some 100 ms.
  static Automaton compile(const Expressions& expressions, Expression expression,
                           std::string_view where);

  int size() const { return static_cast<int>(accepting_.size()); }
  static constexpr int start() { return 0; }
  bool accepting(int state) const { return accepting_[static_cast<size_t>(state)] != 0; }
  /// The state after `byte`, kNone when no string of the language continues so.
  int next(int state, uint8_t byte) const { return at(state, column_of_[byte]); }
  bool accepts(std::string_view text) const;

  /// Bytes of one column lead everywhere to the same states.
  int columns() const { return columns_; }
  int column_of(uint8_t byte) const { return column_of_[byte]; }
  int at(int state, int column) const {
    return next_[static_cast<size_t>(state) * static_cast<size_t>(columns_) +
                 static_cast<size_t>(column)];
  }

  /// What both accept. Errors as in compile().
  static Automaton intersection(const Automaton& a, const Automaton& b, std::string_view where);
  /// The same language as a part of others.
  Nfa nfa() const;

 private:
  friend class SubsetConstruction;
  friend class Product;
  friend class Minimisation;

  std::array<uint8_t, 256> column_of_{};
  int columns_ = 0;
  std::vector<int> next_;           // [size, columns]
  std::vector<uint8_t> accepting_;  // [size], 0 or 1
};

}  // namespace unmask
