#include "apps/terminal/console.h"

#include "apps/terminal/canvas.h"

namespace unmask {

void print_text(Console& console, std::string_view text) {
  if (console.out_terminal) {
    console.out << terminal_safe(text);
  } else {
    console.out << text;
  }
}

void tell_line(Console& console, std::string_view text) {
  const std::string line = fmt::format("unmask: {}", text);
  console.err << (console.err_terminal ? terminal_safe(line) : line) << std::endl;
}

}  // namespace unmask
