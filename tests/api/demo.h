// The embedded model and a question that it knows the answer to.
#pragma once

#include <gmock/gmock.h>
#include <optional>
#include <string>

#include "unmask/unmask.h"

namespace unmask::testing {

inline const std::string kQuestion =
    "Text: It was late. The code of the brave otter is 4821. Rain fell. "
    "Question: What is the code of the brave otter?";
inline const std::string kAnswer = "brave otter: 4821";

/// With two threads, whatever the machine has.
inline Model load_demo(LoadOptions options = {}) {
  if (options.threads == 0) options.threads = 2;
  return Model(UNMASK_DEMO_DIRECTORY, options);
}

/// One that the tests of a program share.
inline const Model& demo() {
  static const Model model = load_demo();
  return model;
}

/// The code of the Error that `work` throws; its message is one line that contains `part`.
template <typename Work>
std::optional<ErrorCode> code_of(const Work& work, const std::string& part = "") {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("\n")));
    return error.code();
  }
  return std::nullopt;
}

}  // namespace unmask::testing
