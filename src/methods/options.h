// Reads the options of a method, written as "skip=0.2,block=32", and checks types and ranges.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// An upper limit for counts of positions: more than any context has.
inline constexpr int kLongerThanAny = 1 << 20;

/// Every reader takes the option `name` or, where the user gave none, returns the default; it
/// throws Error naming the option and what is expected when the value is anything else.
class Options {
 public:
  /// `method` is for messages. Throws Error for a part without '=' and for an option given twice.
  Options(std::string_view method, std::string_view text);

  /// A number in [low, high].
  double number(std::string_view name, double otherwise, double low, double high);
  /// A whole number in [low, high].
  int count(std::string_view name, int otherwise, int low, int high);
  /// true or false.
  bool flag(std::string_view name, bool otherwise);
  /// One of `words`; the first is the default.
  std::string_view choice(std::string_view name, std::initializer_list<std::string_view> words);

  /// Whether the user gave the option.
  bool given(std::string_view name) const { return given_.contains(name); }

  /// To be called after the last reader: throws Error for an option that nobody read.
  void check_all_read() const;
  /// Names that were asked for.
  const std::vector<std::string>& known() const { return known_; }

 private:
  /// The value of an option; null when the user gave none.
  const std::string* take(std::string_view name);
  [[noreturn]] void refuse(std::string_view name, std::string_view value,
                           const std::string& expected) const;

  struct Option {
    std::string value;
    bool read = false;
  };
  std::string method_;
  std::map<std::string, Option, std::less<>> given_;
  std::vector<std::string> known_;  // names that were asked for
};

}  // namespace unmask
