// Asks a model questions about a text: one masked position a question, read in one pass.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/probe.h"
#include "session/decisions/answer_labels.h"
#include "session/decisions/question.h"

namespace unmask {

struct DecideOptions {
  /// Choices and levels are answered in their own words instead of by a label: one canvas for each
  /// place where their tokens part.
  bool text_labels = false;
  /// Orders in which a question's options are listed, cyclic shifts of the first; their shares are
  /// averaged geometrically. At most as many as there are options.
  int permutations = 1;
  int context = 0;  // tokens of a canvas at most; 0: any
};

/// Some questions about one state on their way through a model. They do not see each other.
class Deliberation {
 public:
  /// A pass over as many canvases as have at most `max_rows` tokens together, at least one. False
  /// after the last; there is at least one.
  bool step(Transformer& model, int max_rows);
  /// In the order of the questions; after the last step.
  std::vector<Verdict> verdicts() const;

  int prompt_tokens() const { return prompt_tokens_; }  // of all questions, each order once
  int64_t rows() const { return rows_; }                // of all passes
  int passes() const { return passes_; }                // so far
  int longest() const { return longest_; }              // tokens of a canvas at most

 private:
  friend class Decider;

  /// A canvas with one point, at which the model goes on with one of several branches.
  struct Ask {
    size_t question = 0;
    double weight = 1;  // one over the orders of the question
    bool first = true;  // its branches hold all options
    ProbeCanvas canvas{};
    std::vector<int> branches{};   // of the point's tokens: several may say the same
    std::vector<int> branch_of{};  // of the options; -1: not below
  };

  void add(Ask ask);
  void note(const Ask& ask, std::span<const double> log_probabilities);

  std::vector<Ask> asks_;
  size_t next_ = 0;
  std::vector<Verdict> verdicts_;
  int prompt_tokens_ = 0;
  int64_t rows_ = 0;
  int longest_ = 0;
  int passes_ = 0;
};

/// How a model is asked; made once for a model, used by any thread.
class Decider {
 public:
  /// `format` names a chat template; otherwise the model's own. Throws Error when there is none.
  explicit Decider(const ModelFiles& files, const std::optional<std::string>& format = {});

  /// Options of a choice at most.
  int most_choices() const { return static_cast<int>(labels_.letters().size()); }
  /// Prepares everything but the passes. Throws Error (canvas_length) for a prompt that is longer
  /// than the context, Error for questions without two different options or with more than there
  /// are labels, and for more work than anybody would wait for.
  Deliberation ask(const std::string& state, std::span<const Question> questions,
                   const DecideOptions& options) const;

 private:
  struct Sheet;

  void ask_label(const Question& question, int shift, Sheet sheet, Deliberation& into) const;
  void ask_text(const Question& question, const Sheet& sheet, Deliberation& into) const;
  /// What a question says under the text that it is about.
  std::string word(const Question& question, int shift, bool by_text) const;
  std::vector<TokenId> prompt(const std::string& state, const std::string& asked) const;
  void check(const Question& question) const;

  ModelFiles files_;
  ChatTemplate format_;
  AnswerLabels labels_;
  TokenId end_of_turn_;
  std::vector<TokenId> behind_;  // what follows a label in a canvas
};

}  // namespace unmask
