// Cuts text into the pieces that byte-pair merges never cross. The patterns come from the tokenizer
// files, are written for Oniguruma and run with PCRE2.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace unmask {

/// `pattern` as PCRE2 must read it to match what the reference engine matches: \s, \p{L} and \p{N}
/// become explicit sets. Throws Error for constructs the two engines understand differently.
std::string adapt_pattern(std::string_view pattern);

/// One Split step with the behaviour "Isolated": matches and the text between them are pieces.
class SplitPattern {
 public:
  /// Throws Error when the pattern is not usable.
  explicit SplitPattern(std::string_view pattern);

  /// Appends the pieces of `text` (valid UTF-8) in order; together they are `text`. Throws Error
  /// when the pattern needs an absurd number of steps for one, or too much time for all.
  void split(std::string_view text, std::vector<std::string_view>& pieces) const;

 private:
  struct CodeDeleter {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, CodeDeleter> code_;
};

}  // namespace unmask
