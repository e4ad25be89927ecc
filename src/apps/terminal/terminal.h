// What the process shares with its terminal: window size, cursor, Ctrl-C.
#pragma once

#include <ostream>

namespace unmask {

/// Thrown to leave a command after Ctrl-C.
struct Interrupted {};

/// From now on Ctrl-C raises a flag instead of ending the process, and interrupts a read. A second
/// one while the flag is up ends the process at once, with a visible cursor.
void install_interrupt_handler();
bool interrupted();
void clear_interrupt();

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
