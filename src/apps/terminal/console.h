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

/// Whatever may quote models, files, requests or arguments goes out through these: to the stream of
/// answers, or to the error stream. On a terminal what would steer it becomes visible; elsewhere
/// every byte stays.
void print_text(Console& console, std::string_view text);
void note_text(Console& console, std::string_view text);

/// One line "unmask: TEXT" to the error stream.
void tell_line(Console& console, std::string_view text);
template <typename... Args>
void tell(Console& console, fmt::format_string<Args...> format, Args&&... args) {
  tell_line(console, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(Console& console, fmt::format_string<Args...> format, Args&&... args) {
  tell_line(console, "warning: " + fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace unmask
