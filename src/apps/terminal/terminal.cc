#include "apps/terminal/terminal.h"

#include <atomic>
#include <csignal>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace unmask {

namespace {

constexpr std::string_view kHide = "\x1b[?25l";
constexpr std::string_view kShow = "\x1b[?25h";
constexpr int kInterruptedExit = 130;  // 128 + SIGINT, as shells report it

// A signal handler has no other way to reach the program.
std::atomic<bool> interrupt_flag{false};
std::atomic<bool> cursor_hidden{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int /*signal*/) {
  if (!interrupt_flag.exchange(true)) return;
  if (cursor_hidden) {
    // Nothing can be done about a failure here.
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kShow.data(), kShow.size());
  }
  _exit(kInterruptedExit);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART: a prompt that waits for input has to return.
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return interrupt_flag; }

void clear_interrupt() { interrupt_flag = false; }

WindowSize window_size() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

HiddenCursor::HiddenCursor(std::ostream& terminal) : terminal_(terminal) {
  cursor_hidden = true;
  terminal_ << kHide << std::flush;
}

HiddenCursor::~HiddenCursor() {
  terminal_ << kShow << std::flush;
  cursor_hidden = false;
}

}  // namespace unmask
