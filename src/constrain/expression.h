// Regular expressions over bytes, built from parts by code instead of by text, and the automaton
// with free moves (NFA) that accepts what they describe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// A set of byte strings; a handle that is valid in the Expressions that made it.
struct Expression {
  int index = 0;
};

/// Bytes `first` to `last`, both included.
struct ByteRange {
  uint8_t first = 0;
  uint8_t last = 0;
};

/// States that are joined by bytes and by free moves; the only accepting one is `accepting`.
struct Nfa {
  struct Move {
    ByteRange bytes;
    int to = 0;
  };
  struct State {
    std::vector<Move> moves{};
    std::vector<int> free{};
  };
  std::vector<State> states;
  int start = 0;
  int accepting = 0;
};

/// Makes expressions and keeps their parts. A part may occur in several others: what follows alike
/// is shared, so that n optional members of an object take some 2 n parts and not 2^n.
class Expressions {
 public:
  /// No string at all.
  Expression nothing();
  Expression byte(ByteRange bytes);
  /// One string, which may be empty.
  Expression literal(std::string_view text);
  Expression sequence(std::vector<Expression> parts);
  Expression choice(std::vector<Expression> parts);
  /// `part` at least `least` and at most `most` times, without a limit by default.
  Expression repeat(Expression part, int least, std::optional<int> most = std::nullopt);
  Expression optional(Expression part) { return repeat(part, 0, 1); }
  /// What `nfa` accepts.
  Expression embed(Nfa nfa);

  /// Throws Error (code `schema`) starting with `where` when it would have more than 100,000
  /// states.
  Nfa compile(Expression root, std::string_view where) const;

 private:
  friend class NfaEmitter;
  enum class Kind : uint8_t { byte, literal, sequence, choice, repeat, nfa };
  struct Node {
    Kind kind = Kind::choice;
    ByteRange bytes{};                // of byte
    std::string text{};               // of literal
    std::vector<Expression> parts{};  // of sequence, choice and repeat
    int least = 0;                    // of repeat
    std::optional<int> most{};        // of repeat
    Nfa nfa{};                        // of nfa
  };

  Expression add(Node node);

  std::vector<Node> nodes_;
};

}  // namespace unmask
