// What the process shares with its terminal: window size, cursor, Ctrl-C.
#pragma once

#include <ostream>
#include <string_view>

#include "core/stop.h"

namespace unmask {

/// From now on Ctrl-C (SIGINT), SIGTERM and SIGHUP end the process at once, but with a visible
/// cursor, the modes that the terminal has now and no temporary file left. While an InterruptWatch
/// lives, the first one raises a flag instead, and interrupts a read.
void install_interrupt_handler();

/// Somebody looks at the flag as long as it lives.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
};

/// Ends the process from inside a signal handler: a visible cursor, the terminal's first modes, no
/// temporary file, and `line` on standard error.
[[noreturn]] void end_at_once(std::string_view line, int status) noexcept;

bool interrupted();
void clear_interrupt();
/// Raises the flag as Ctrl-C does.
void interrupt();
/// The flag, for work that is to stop with it.
StopToken interrupt_token();
/// What shells report of a process that the last such signal ended: 128 + its number.
int interrupted_status();
/// The process was told to end, not only to leave what it is doing.
bool told_to_end();

struct WindowSize {
  int columns = 80;
  int rows = 24;
};

/// Of the terminal behind the error stream; 80 x 24 where there is none.
WindowSize window_size();

/// Hides the cursor of a terminal as long as it lives.
class HiddenCursor {
 public:
  explicit HiddenCursor(std::ostream& terminal);
  ~HiddenCursor();
  HiddenCursor(const HiddenCursor&) = delete;
  HiddenCursor& operator=(const HiddenCursor&) = delete;

 private:
  std::ostream& terminal_;
};

}  // namespace unmask
