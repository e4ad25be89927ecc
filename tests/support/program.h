// The program as a function: words in, status and what it printed out.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "apps/commands/cli.h"

namespace unmask::testing {

struct Outcome {
  int status;
  std::string out, err;
};

/// Runs `unmask WORDS...` without a terminal and without input.
inline Outcome call(const std::vector<std::string>& words) {
  std::vector<const char*> arguments{"unmask"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  const int status = run_main(static_cast<int>(arguments.size()), arguments.data(), console);
  return {status, out.str(), err.str()};
}

}  // namespace unmask::testing
