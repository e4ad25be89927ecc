// Regular expressions of users (PCRE2, UTF-8).
#pragma once

#include <memory>
#include <optional>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;

namespace unmask {

class Regex {
 public:
  /// Throws Error saying what is wrong with the pattern.
  explicit Regex(std::string_view pattern);

  /// True when the pattern matches somewhere in `text`, which must be UTF-8. Throws Error when the
  /// search takes too long or too much memory.
  bool matches(std::string_view text) const { return find(text, 0).has_value(); }
  /// The last of the matches that follow each other from the left.
  std::optional<std::string_view> last_match(std::string_view text) const;

 private:
  struct CodeDeleter {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct LimitsDeleter {
    void operator()(pcre2_real_match_context_8* limits) const;
  };
  std::optional<std::string_view> find(std::string_view text, size_t from) const;

  std::unique_ptr<pcre2_real_code_8, CodeDeleter> code_;
  std::unique_ptr<pcre2_real_match_context_8, LimitsDeleter> limits_;
};

}  // namespace unmask
