// The part of a canvas that cannot change any more, as text.
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/request.h"
#include "io/text/tokenizer.h"
#include "serve/text/stop_strings.h"

namespace unmask {

/// Reads an answer from left to right as far as no later step changes it.
class FinalText {
 public:
  struct Options {
    TokenId mask_id = -1;
    int begin = 0;             // first position that is read
    std::optional<int> end{};  // where the answer ends; otherwise with the canvas
    std::vector<std::string> stops{};
  };

  /// `tokenizer` outlives this.
  FinalText(const Tokenizer& tokenizer, const Request& request, Options options);

  /// Takes over what a step decided of a canvas that has `length` tokens by now, of which the first
  /// `settled` stay as they are; the text that became final.
  std::string advance(std::span<const Decision> decided, int length,
                      int settled = std::numeric_limits<int>::max());
  /// What is left at the end: what was held back, half characters as U+FFFD.
  std::string finish();

  /// Nothing follows: there was an end token or a stop string.
  bool ended() const { return ended_ || stops_.found(); }
  bool found_stop() const { return stops_.found(); }
  /// Generated tokens that were read, the one that completed a stop string included.
  int tokens() const { return count_; }
  /// Position behind the last token that was read.
  int position() const { return static_cast<int>(next_); }
  /// The canvas as it is known here.
  std::span<const TokenId> canvas() const { return tokens_; }

 private:
  std::string read();

  std::vector<TokenId> tokens_;
  std::vector<bool> given_;  // from the beginning
  std::vector<TokenId> eos_ids_;
  Options options_;
  StreamDecoder decoder_;
  StopStrings stops_;
  size_t next_;
  size_t settled_ = 0;
  int count_ = 0;
  bool ended_ = false;
};

}  // namespace unmask
