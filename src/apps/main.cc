// The program `unmask`: real streams and signals for run_main.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <string_view>
#include <unistd.h>

#include "apps/commands/cli.h"
#include "apps/terminal/lost_file.h"
#include "apps/terminal/output_file.h"
#include "apps/terminal/terminal.h"

namespace {

bool is_terminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  // Where escape codes mean nothing, the program behaves as in a pipe.
  return isatty(descriptor) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

std::terminate_handler usual_handler;

/// Some functions of libraries are noexcept and take memory nevertheless.
[[noreturn]] void on_terminate() {
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    unmask::end_at_once("unmask: error: not enough memory\n", 1);
  } catch (...) {  // the usual handler says what it is
  }
  usual_handler();
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  usual_handler = std::set_terminate(on_terminate);
  unmask::install_interrupt_handler();
  unmask::install_lost_file_handler();
  // Unlike that of std::cout, it takes a write up again that a signal broke off: signals end work,
  // and an answer that waits for its reader is kept.
  unmask::DescriptorBuffer answers(STDOUT_FILENO);
  std::ostream out(&answers);
  unmask::Console console{std::cin,
                          out,
                          std::cerr,
                          is_terminal(STDIN_FILENO),
                          is_terminal(STDOUT_FILENO),
                          is_terminal(STDERR_FILENO)};
  if (console.out_terminal) out << std::unitbuf;
  const int status = unmask::run_main(argc, argv, console);
  out.flush();
  return status;
}
