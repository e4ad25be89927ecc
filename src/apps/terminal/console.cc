#include "apps/terminal/console.h"

#include "apps/terminal/canvas.h"

namespace unmask {

namespace {

void put(std::ostream& out, bool terminal, std::string_view text) {
  if (terminal) {
    out << terminal_safe(text);
  } else {
    out << text;
  }
}

}  // namespace

void print_text(Console& console, std::string_view text) {
  put(console.out, console.out_terminal, text);
}

void note_text(Console& console, std::string_view text) {
  put(console.err, console.err_terminal, text);
  console.err << std::flush;
}

void tell_line(Console& console, std::string_view text) {
  note_text(console, fmt::format("unmask: {}\n", text));
}

}  // namespace unmask
