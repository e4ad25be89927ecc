// The program: parses a command line, runs the command, turns exceptions into exit statuses.
#pragma once

#include "apps/terminal/console.h"

namespace unmask {

enum ExitStatus : int {
  kSuccess = 0,
  kFailure = 1,        // Error: the user, a file or the machine
  kUsage = 2,          // the command line cannot be understood
  kDefect = 70,        // LogicError (EX_SOFTWARE of sysexits.h)
  kInterrupted = 130,  // Ctrl-C: 128 + SIGINT; after another signal, 128 and its number
};

/// Returns the exit status. Everything printed goes through `console`; every error is one line.
int run_main(int argc, const char* const* argv, Console& console);

}  // namespace unmask
