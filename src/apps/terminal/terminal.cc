#include "apps/terminal/terminal.h"

#include <atomic>
#include <csignal>
#include <string_view>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "apps/terminal/output_file.h"

namespace unmask {

namespace {

constexpr std::string_view kHide = "\x1b[?25l";
constexpr std::string_view kShow = "\x1b[?25h";
constexpr int kSignalled = 128;  // what shells add to the number of a signal

// A signal handler has no other way to reach the program.
std::atomic<bool> interrupt_flag{false};
std::atomic<int> last_signal{SIGINT};
std::atomic<bool> cursor_hidden{false};
termios first_modes{};  // of the terminal
std::atomic<bool> modes_known{false};

std::atomic<int> watches{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

/// Nothing can be done about a failure here.
void say(std::string_view text) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
}

void on_interrupt(int signal) {
  last_signal = signal;
  if (!interrupt_flag.exchange(true) && watches > 0) return;
  end_at_once("unmask: interrupted\n", kSignalled + signal);
}

}  // namespace

void end_at_once(std::string_view line, int status) noexcept {
  if (cursor_hidden) say(kShow);
  if (modes_known) tcsetattr(STDIN_FILENO, TCSANOW, &first_modes);
  remove_temporaries();
  say(line);
  _exit(status);
}

InterruptWatch::InterruptWatch() { ++watches; }
InterruptWatch::~InterruptWatch() { --watches; }

void install_interrupt_handler() {
  modes_known = tcgetattr(STDIN_FILENO, &first_modes) == 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART: a prompt that waits for input has to return.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // else run by nohup
}

bool interrupted() { return interrupt_flag; }

void clear_interrupt() { interrupt_flag = false; }

void interrupt() { interrupt_flag = true; }

StopToken interrupt_token() { return StopToken(interrupt_flag); }

int interrupted_status() { return kSignalled + last_signal; }

bool told_to_end() { return interrupt_flag && last_signal != SIGINT; }

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
