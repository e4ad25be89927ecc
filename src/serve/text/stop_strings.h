// Finds strings that end a text while the text arrives in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace unmask {

/// Holds back what may turn out to be the beginning of a stop string, at most as many bytes as the
/// longest of them has.
class StopStrings {
 public:
  /// None of `strings` is empty.
  explicit StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  /// What is certain to belong to the text now that `piece` has come. Nothing after a stop string,
  /// which itself does not belong to it.
  std::string push(std::string_view piece);
  /// What was held back, at the text's end.
  std::string finish();
  bool found() const { return found_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  bool found_ = false;
};

}  // namespace unmask
