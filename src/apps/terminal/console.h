// The streams a command talks to, and whether a person sits behind them.
#pragma once

#include <fmt/format.h>
#include <istream>
#include <ostream>
#include <string_view>
#include <utility>

namespace unmask {

struct Console {
  std::istream& in;
  std::ostream& out;  // answers only
  std::ostream& err;  // warnings, progress, the live view
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
};

/// One line on the error stream.
template <typename... Args>
void warn(Console& console, fmt::format_string<Args...> format, Args&&... args) {
  console.err << "unmask: warning: " << fmt::format(format, std::forward<Args>(args)...) << '\n';
}

}  // namespace unmask
