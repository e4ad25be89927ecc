// Tokens that can name an answer all by themselves, so that one masked position is enough to ask.
#pragma once

#include <string>
#include <vector>

#include "session/model_files.h"

namespace unmask {

/// Depends on the tokenizer and on what the chat template puts before an answer.
class AnswerLabels {
 public:
  struct Label {
    std::string text;
    TokenId token;
  };

  /// Throws Error when the model's tokenizer lacks the markers of `format`.
  AnswerLabels(const Tokenizer& tokenizer, const ChatTemplate& format);

  /// A, B, ... Z, a, ... z, 0, ... 9, AA, ... ZZ, as far as they are one token each; at most 255.
  const std::vector<Label>& letters() const { return letters_; }
  /// 0, 1, ... 9, up to the first that is not one token.
  const std::vector<Label>& digits() const { return digits_; }
  /// Every token that says yes or no, whatever its case and the blanks around it.
  const std::vector<TokenId>& yes() const { return yes_; }
  const std::vector<TokenId>& no() const { return no_; }

 private:
  std::vector<Label> letters_, digits_;
  std::vector<TokenId> yes_, no_;
};

}  // namespace unmask
