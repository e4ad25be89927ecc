#include "constrain/expression.h"

#include <map>
#include <utility>

#include "core/error.h"

namespace unmask {

namespace {

// A schema of 60 members has some 3,000; counted repeats inside counted repeats reach any number.
constexpr size_t kMostNfaStates = 100'000;

}  // namespace

Expression Expressions::add(Node node) {
  nodes_.push_back(std::move(node));
  return {static_cast<int>(nodes_.size()) - 1};
}

Expression Expressions::nothing() { return choice({}); }

Expression Expressions::byte(ByteRange bytes) { return add({.kind = Kind::byte, .bytes = bytes}); }

Expression Expressions::literal(std::string_view text) {
  return add({.kind = Kind::literal, .text = std::string(text)});
}

Expression Expressions::sequence(std::vector<Expression> parts) {
  return add({.kind = Kind::sequence, .parts = std::move(parts)});
}

Expression Expressions::choice(std::vector<Expression> parts) {
  return add({.kind = Kind::choice, .parts = std::move(parts)});
}

Expression Expressions::repeat(Expression part, int least, std::optional<int> most) {
  UNMASK_CHECK(least >= 0 && (!most || *most >= least), "a repeat has a least and a most count");
  return add({.kind = Kind::repeat, .parts = {part}, .least = least, .most = most});
}

Expression Expressions::embed(Nfa nfa) { return add({.kind = Kind::nfa, .nfa = std::move(nfa)}); }

/// Builds from the end: an expression is entered knowing the state that follows it. The same part
/// before the same state is emitted once.
class NfaEmitter {
 public:
  NfaEmitter(const Expressions& expressions, std::string_view where)
      : expressions_(expressions), where_(where) {}

  Nfa run(Expression root) {
    nfa_.accepting = state();
    nfa_.start = emit(root, nfa_.accepting);
    return std::move(nfa_);
  }

 private:
  using Node = Expressions::Node;
  using Kind = Expressions::Kind;

  int state() {
    if (nfa_.states.size() >= kMostNfaStates) {
      fail(ErrorCode::schema, "{}: found more than {} states before they are merged, expected less",
           where_, kMostNfaStates);
    }
    nfa_.states.emplace_back();
    return static_cast<int>(nfa_.states.size()) - 1;
  }

  Nfa::State& at(int index) { return nfa_.states[static_cast<size_t>(index)]; }

  int emit_byte(ByteRange bytes, int to) {
    const int from = state();
    at(from).moves.push_back({bytes, to});
    return from;
  }

  int emit_new(const Node& node, int to) {
    switch (node.kind) {
      case Kind::byte: return emit_byte(node.bytes, to);
      case Kind::literal:
        for (auto c = node.text.rbegin(); c != node.text.rend(); ++c) {
          const auto byte = static_cast<uint8_t>(*c);
          to = emit_byte({byte, byte}, to);
        }
        return to;
      case Kind::sequence:
        for (auto part = node.parts.rbegin(); part != node.parts.rend(); ++part) {
          to = emit(*part, to);
        }
        return to;
      case Kind::choice: {
        const int from = state();
        for (const Expression part : node.parts) {
          const int entry = emit(part, to);
          at(from).free.push_back(entry);
        }
        return from;
      }
      case Kind::repeat: return emit_repeat(node, to);
      case Kind::nfa: break;
    }
    return emit_copy(node.nfa, to);
  }

  int emit_copy(const Nfa& source, int to) {
    const auto first = static_cast<int>(nfa_.states.size());
    for (size_t i = 0; i < source.states.size(); ++i) state();
    for (size_t i = 0; i < source.states.size(); ++i) {
      Nfa::State& copy = at(first + static_cast<int>(i));
      copy = source.states[i];
      for (Nfa::Move& move : copy.moves) move.to += first;
      for (int& target : copy.free) target += first;
    }
    at(first + source.accepting).free.push_back(to);
    return first + source.start;
  }

  int emit_repeat(const Node& node, int to) {
    const Expression part = node.parts[0];
    const auto either = [&](int first, int second) {
      const int from = state();
      at(from).free = {first, second};
      return from;
    };
    int entry = to;
    if (node.most) {
      for (int n = node.least; n < *node.most; ++n) entry = either(emit(part, entry), to);
    } else {
      entry = state();
      const int again = emit(part, entry);
      at(entry).free = {again, to};
    }
    for (int n = 0; n < node.least; ++n) entry = emit(part, entry);
    return entry;
  }

  int emit(Expression expression, int to) {
    const auto key = std::pair(expression.index, to);
    const auto known = entries_.find(key);
    if (known != entries_.end()) return known->second;
    const int entry = emit_new(expressions_.nodes_[static_cast<size_t>(expression.index)], to);
    entries_[key] = entry;
    return entry;
  }

  const Expressions& expressions_;
  std::string_view where_;
  Nfa nfa_;
  std::map<std::pair<int, int>, int> entries_;
};

Nfa Expressions::compile(Expression root, std::string_view where) const {
  return NfaEmitter(*this, where).run(root);
}

}  // namespace unmask
