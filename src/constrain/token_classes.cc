#include "constrain/token_classes.h"

#include <algorithm>
#include <unordered_map>

#include "constrain/characters.h"
#include "core/error.h"

namespace unmask {

namespace {

// Nodes of tries that are visited and, four times as much work, tokens that are found there: some
// 3 ns each. A schema of 7 keys needs 0.2 million with a vocabulary of 100,000; a counted pattern
// such as [a-z]{0,64} some 20 million, and many of them are refused after 0.5 s.
constexpr int64_t kMostWork = 100'000'000;
// 8 bytes each, and each looked at for each position of a block in each step.
constexpr size_t kMostEdges = 2'000'000;

constexpr int kMixed = -2;  // characters lead to different states

/// Where all plain characters lead from each state: most states of schemas, inside of strings, do
/// not care which character it is.
class PlainMoves {
 public:
  explicit PlainMoves(const Automaton& automaton) : automaton_(automaton), plain_(compile_plain()) {
    for (int byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<uint8_t>(byte);
      const std::pair pair(plain_.column_of(value), automaton_.column_of(value));
      if (std::find(columns_.begin(), columns_.end(), pair) == columns_.end()) {
        columns_.push_back(pair);
      }
    }
  }

  /// The state after any one character, kNone when none fits, kMixed when they differ.
  int next(int state) const {
    std::vector<std::pair<int, int>> reached{{Automaton::start(), state}};
    int common = kUnknown;
    for (size_t i = 0; i < reached.size() && common != kMixed; ++i) {
      const auto [p, q] = reached[i];
      for (const auto& [plain_column, column] : columns_) {
        const std::pair to(plain_.at(p, plain_column), automaton_.at(q, column));
        if (to.first == Automaton::kNone) continue;
        if (to.second == Automaton::kNone || plain_.accepting(to.first)) {
          common = common == kUnknown || common == to.second ? to.second : kMixed;
        } else if (std::find(reached.begin(), reached.end(), to) == reached.end()) {
          reached.push_back(to);
        }
      }
    }
    return common;
  }

 private:
  static constexpr int kUnknown = -3;

  static Automaton compile_plain() {
    Expressions expressions;
    const Expression one = string_character(expressions, plain_characters());
    return Automaton::compile(expressions, one, "[schema] plain characters");
  }

  const Automaton& automaton_;
  Automaton plain_;
  std::vector<std::pair<int, int>> columns_;
};

class Classifier {
 public:
  Classifier(const Automaton& automaton, const VocabularyTrie& vocabulary)
      : automaton_(automaton), vocabulary_(vocabulary) {
    const int most = vocabulary.most_plain_characters();
    out_.classes.resize(static_cast<size_t>(most) + 1);
    for (int n = 0; n <= most; ++n) out_.classes[static_cast<size_t>(n)].plain_characters = n;
    for (TokenId token = 0; token < vocabulary.size(); ++token) {
      const int n = vocabulary.plain_characters(token);
      out_.class_of.push_back(n);
      ++out_.classes[static_cast<size_t>(n)].size;
    }
  }

  TokenClasses run() {
    const PlainMoves moves(automaton_);
    std::vector<int> plain_next;
    plain_next.reserve(static_cast<size_t>(automaton_.size()));
    for (int q = 0; q < automaton_.size(); ++q) plain_next.push_back(moves.next(q));
    // Classes split at the states that tell tokens apart; later states find fewer edges to copy.
    std::vector<std::pair<int, std::vector<int>>> by_length;
    for (int q = 0; q < automaton_.size(); ++q) {
      std::vector<int> reached = after_characters(q, plain_next);
      if (reached.empty()) {
        move_tokens(q, vocabulary_.all());
      } else {
        by_length.emplace_back(q, std::move(reached));
      }
    }
    for (const auto& [q, reached] : by_length) {
      move_tokens(q, vocabulary_.not_plain());
      for (TokenClass& c : out_.classes) {
        const int to = c.plain_characters == 0 ? Automaton::kNone
                                               : reached[static_cast<size_t>(c.plain_characters)];
        if (to != Automaton::kNone && c.size > 0) add_edge(c, q, to);
      }
    }
    return std::move(out_);
  }

 private:
  struct Hit {
    TokenId token;
    int to;
  };

  /// The states after 0, 1, ... plain characters; empty when it depends on the characters.
  std::vector<int> after_characters(int state, const std::vector<int>& plain_next) const {
    std::vector<int> reached{state};
    for (int n = 1; n <= vocabulary_.most_plain_characters(); ++n) {
      if (state != Automaton::kNone) state = plain_next[static_cast<size_t>(state)];
      if (state == kMixed) return {};
      reached.push_back(state);
    }
    return reached;
  }

  void add_edge(TokenClass& c, int from, int to) {
    c.edges.emplace_back(from, to);
    count_edges(1);
  }

  void count_edges(size_t more) {
    n_edges_ += more;
    if (n_edges_ <= kMostEdges) return;
    fail(ErrorCode::schema,
         "[schema] /: found more than {} ways to continue with a token, expected fewer: shorten "
         "patterns and lengths",
         kMostEdges);
  }

  /// The tokens of `trie` that fit behind `state`.
  const std::vector<Hit>& walk(int state, const VocabularyTrie::Trie& trie) {
    hits_.clear();
    path_.assign(static_cast<size_t>(trie.deepest) + 1, state);
    size_t i = 0;
    while (i < trie.nodes.size()) {
      const VocabularyTrie::Node& node = trie.nodes[i];
      ++work_;
      const auto depth = static_cast<size_t>(node.depth);
      const int to = automaton_.next(path_[depth - 1], node.byte);
      if (to == Automaton::kNone) {
        i = static_cast<size_t>(node.end);
        continue;
      }
      path_[depth] = to;
      for (int t = node.tokens_begin; t < node.tokens_end; ++t) {
        hits_.push_back({trie.tokens[static_cast<size_t>(t)], to});
      }
      work_ += 4 * (node.tokens_end - node.tokens_begin);
      ++i;
    }
    if (work_ > kMostWork) {
      fail(ErrorCode::schema,
           "[schema] /: found a schema that takes too long to apply to the model's tokens, "
           "expected shorter patterns and lengths");
    }
    return hits_;
  }

  /// Gives the tokens their edges from `state`; a class whose tokens part is split.
  void move_tokens(int state, const VocabularyTrie::Trie& trie) {
    struct Group {
      int target = 0;
      int size = 0;
      int moved_to = -1;  // the class that takes these tokens
    };
    std::unordered_map<int64_t, Group> groups;  // by class and target
    const std::vector<Hit>& hits = walk(state, trie);
    int64_t last_key = -1;  // neighbours in the trie often move alike
    Group* last = nullptr;
    const auto group_of = [&](const Hit& hit) -> Group& {
      const int64_t c = out_.class_of[static_cast<size_t>(hit.token)];
      const int64_t key = (c << 32) | hit.to;
      if (std::exchange(last_key, key) != key) last = &groups[key];
      return *last;
    };
    for (const Hit& hit : hits) ++group_of(hit).size;
    std::vector<int> new_class(hits.size());
    for (size_t i = 0; i < hits.size(); ++i) {
      Group& group = group_of(hits[i]);
      if (group.moved_to < 0) {
        const int old = out_.class_of[static_cast<size_t>(hits[i].token)];
        group.moved_to = whole_or_part(old, group.size, state, hits[i].to);
      }
      new_class[i] = group.moved_to;
    }
    for (size_t i = 0; i < hits.size(); ++i) {
      int& current = out_.class_of[static_cast<size_t>(hits[i].token)];
      --out_.classes[static_cast<size_t>(current)].size;
      current = new_class[i];
      ++out_.classes[static_cast<size_t>(current)].size;
    }
  }

  /// The class for `count` tokens of class `old` that move from `from` to `to`.
  int whole_or_part(int old, int count, int from, int to) {
    if (out_.classes[static_cast<size_t>(old)].size == count) {
      add_edge(out_.classes[static_cast<size_t>(old)], from, to);
      return old;
    }
    const auto added = static_cast<int>(out_.classes.size());
    TokenClass part = out_.classes[static_cast<size_t>(old)];
    part.size = 0;
    count_edges(part.edges.size());
    add_edge(part, from, to);
    out_.classes.push_back(std::move(part));
    return added;
  }

  const Automaton& automaton_;
  const VocabularyTrie& vocabulary_;
  TokenClasses out_;
  std::vector<Hit> hits_;
  std::vector<int> path_;  // states after the bytes of the current node's beginning
  int64_t work_ = 0;
  size_t n_edges_ = 0;
};

}  // namespace

TokenClasses classify_tokens(const Automaton& automaton, const VocabularyTrie& vocabulary) {
  return Classifier(automaton, vocabulary).run();
}

}  // namespace unmask
