// What the process shares with its terminal: window size, cursor, Ctrl-C.
#pragma once

#include <ostream>

#include "core/stop.h"

namespace unmask {

/// From now on Ctrl-C (SIGINT), SIGTERM and SIGHUP raise a flag instead of ending the process, and
/// interrupt a read. A second one while the flag is up ends the process at once, with a visible
/// cursor and the modes that the terminal has now.
void install_interrupt_handler();
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
