// The program `unmask`: real streams and signals for run_main.
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <unistd.h>

#include "apps/commands/cli.h"
#include "apps/terminal/lost_file.h"
#include "apps/terminal/terminal.h"

namespace {

bool is_terminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  // Where escape codes mean nothing, the program behaves as in a pipe.
  return isatty(descriptor) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

}  // namespace

int main(int argc, char** argv) {
  unmask::install_interrupt_handler();
  unmask::install_lost_file_handler();
  unmask::Console console{std::cin,
                          std::cout,
                          std::cerr,
                          is_terminal(STDIN_FILENO),
                          is_terminal(STDOUT_FILENO),
                          is_terminal(STDERR_FILENO)};
  return unmask::run_main(argc, argv, console);
}
