#include "constrain/witness.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace unmask {

namespace {

using Edge = TokenAutomaton::Edge;

constexpr double kImpossible = -std::numeric_limits<double>::infinity();
// What a filter removed is taken only where nothing else is possible. Not lower: sums of it must
// still tell the scores of other positions apart.
constexpr double kLowestScore = -1e9;

double bounded(float score) { return score > kLowestScore ? double{score} : kLowestScore; }

/// One search: forward sums, then the possible ends, then back along the best path.
class Search {
 public:
  Search(const TokenAutomaton& automaton, int start, const WitnessBlock& block,
         std::span<const ClassMaxima> open)
      : automaton_(automaton), block_(block), open_(open), n_(block.tokens.size()) {
    sums_.assign((n_ + 1) * states(), kImpossible);
    steps_.resize(n_ * states());
    sums_[static_cast<size_t>(start)] = 0;
  }

  WitnessPath run() {
    size_t row = 0;
    for (size_t i = 0; i < n_; ++i) {
      if (block_.tokens[i] == block_.mask_id) {
        take_any(i, open_[row++]);
      } else {
        take_one(i, automaton_.classes()[static_cast<size_t>(block_.tokens[i])]);
      }
    }
    UNMASK_CHECK(row == open_.size(), "one entry for each mask of the block");
    const int end = best_end();
    return trace(end);
  }

 private:
  /// How the best path enters a state.
  struct Entry {
    int from = 0;
    int token_class = 0;
  };

  size_t states() const { return static_cast<size_t>(automaton_.n_states()); }
  double& sum(size_t i, int state) { return sums_[i * states() + static_cast<size_t>(state)]; }

  void relax(size_t i, int token_class, double score) {
    const double* const from = &sums_[i * states()];
    double* const to = &sums_[(i + 1) * states()];
    Entry* const entries = &steps_[i * states()];
    for (const Edge& edge : automaton_.edges(token_class)) {
      const double candidate = from[edge.from] + score;
      if (!(candidate > to[edge.to])) continue;
      to[edge.to] = candidate;
      entries[edge.to] = {edge.from, token_class};
    }
  }

  void take_any(size_t i, const ClassMaxima& maxima) {
    for (int c = 0; c < automaton_.n_classes(); ++c) {
      const bool known = !maxima.scores.empty();
      relax(i, c, known ? bounded(maxima.scores[static_cast<size_t>(c)]) : 0);
    }
  }

  void take_one(size_t i, int token_class) { relax(i, token_class, 0); }

  bool closes_in_time(int state) const { return automaton_.distance(state) <= block_.behind; }

  int best_end() {
    int best = Automaton::kNone;
    double best_anywhere = kImpossible;
    for (int q = 0; q < automaton_.n_states(); ++q) {
      best_anywhere = std::max(best_anywhere, sum(n_, q));
      if (sum(n_, q) == kImpossible || !closes_in_time(q)) continue;
      if (best == Automaton::kNone || sum(n_, q) > sum(n_, best)) best = q;
    }
    if (best == Automaton::kNone) {
      fail(ErrorCode::schema,
           "[schema] decided tokens: found some that no text of the schema has, expected none");
    }
    hurried_ = best_anywhere > sum(n_, best);
    return best;
  }

  WitnessPath trace(int state) {
    WitnessPath path;
    path.hurried = hurried_;
    path.open.resize(open_.size());
    alive_.assign(states(), 0);
    for (int q = 0; q < automaton_.n_states(); ++q) {
      if (sum(n_, q) > kImpossible && closes_in_time(q)) alive_[static_cast<size_t>(q)] = 1;
    }
    size_t row = open_.size();
    for (size_t i = n_; i-- > 0;) {
      const Entry entry = steps_[i * states() + static_cast<size_t>(state)];
      if (state == automaton_.end_state()) path.end = static_cast<int>(i);
      const bool open = block_.tokens[i] == block_.mask_id;
      const bool one_class = step_back(i, entry.token_class, open);
      if (open) {
        const auto c = static_cast<size_t>(entry.token_class);
        const ClassMaxima& maxima = open_[--row];
        path.open[row] = {
            .token = maxima.scores.empty() ? automaton_.first_tokens()[c] : maxima.tokens[c],
            .score = maxima.scores.empty() ? 0 : maxima.scores[c],
            .forced = one_class && automaton_.is_single(entry.token_class)};
      }
      state = entry.from;
    }
    return path;
  }

  /// Moves alive_, the states from which the block can be completed, in front of position `i`.
  /// Whether tokens of class `on_path` alone lead there.
  bool step_back(size_t i, int on_path, bool open) {
    std::vector<uint8_t> before(states(), 0);
    bool others = false;
    const int first = open ? 0 : on_path;
    const int last = open ? automaton_.n_classes() - 1 : on_path;
    for (int c = first; c <= last; ++c) {
      for (const Edge& edge : automaton_.edges(c)) {
        if (alive_[static_cast<size_t>(edge.to)] == 0 || sum(i, edge.from) == kImpossible) continue;
        before[static_cast<size_t>(edge.from)] = 1;
        others = others || c != on_path;
      }
    }
    alive_ = std::move(before);
    return !others;
  }

  const TokenAutomaton& automaton_;
  const WitnessBlock& block_;
  std::span<const ClassMaxima> open_;
  size_t n_;
  std::vector<double> sums_;    // [n + 1, states]
  std::vector<Entry> steps_;    // [n, states]
  std::vector<uint8_t> alive_;  // [states], 0 or 1
  bool hurried_ = false;
};

}  // namespace

void class_maxima(std::span<const float> row, const TokenAutomaton& automaton,
                  ClassMaxima& maxima) {
  const std::span<const int> classes = automaton.classes();
  UNMASK_CHECK(row.size() >= classes.size(), "a row has a logit for each token");
  maxima.scores.assign(static_cast<size_t>(automaton.n_classes()),
                       -std::numeric_limits<float>::infinity());
  maxima.tokens.assign(automaton.first_tokens().begin(), automaton.first_tokens().end());
  for (size_t token = 0; token < classes.size(); ++token) {
    const auto c = static_cast<size_t>(classes[token]);
    if (!(row[token] > maxima.scores[c])) continue;
    maxima.scores[c] = row[token];
    maxima.tokens[c] = static_cast<TokenId>(token);
  }
}

Witness::Witness(std::shared_ptr<const TokenAutomaton> automaton, int length)
    : automaton_(std::move(automaton)), state_(TokenAutomaton::start()) {
  const int shortest = automaton_->distance(state_);
  if (shortest > length) {
    fail(ErrorCode::schema,
         "[schema] length of the answer: found {} tokens, expected at least {}, which the shortest "
         "text of the schema takes",
         length, shortest);
  }
}

WitnessPath Witness::search(const WitnessBlock& block, std::span<const ClassMaxima> open) const {
  return Search(*automaton_, state_, block, open).run();
}

void Witness::advance(std::span<const TokenId> block) {
  for (const TokenId token : block) {
    const int next = automaton_->next(state_, token);
    if (next == Automaton::kNone) {
      fail(ErrorCode::schema,
           "[schema] decided tokens: found token {} where the schema has no place for it, expected "
           "one that continues the text",
           token);
    }
    state_ = next;
  }
}

}  // namespace unmask
