#include "apps/terminal/lost_file.h"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include "apps/terminal/terminal.h"

namespace unmask {

namespace {

constexpr int kFailed = 1;

// Everything below runs inside a signal handler: no allocation, no stdio.

/// The lines of /proc/self/maps, which says what lies where; none on a system without.
class MapsReader {
 public:
  MapsReader() : file_(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
  ~MapsReader() {
    if (file_ >= 0) close(file_);
  }
  MapsReader(const MapsReader&) = delete;
  MapsReader& operator=(const MapsReader&) = delete;

  /// The next line, its end cut off where it is longer than a path can be; none at the end. Valid
  /// until the next call.
  std::string_view next() {
    for (;;) {
      const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
      const size_t length = rest.find('\n');
      if (length != std::string_view::npos) {
        begin_ += length + 1;
        return rest.substr(0, length);
      }
      std::memmove(buffer_.data(), buffer_.data() + begin_, rest.size());
      begin_ = 0;
      end_ = rest.size();
      const ssize_t got =
          end_ < buffer_.size() ? read(file_, buffer_.data() + end_, buffer_.size() - end_) : 0;
      if (got <= 0) return {};
      end_ += static_cast<size_t>(got);
    }
  }

 private:
  int file_;
  std::array<char, 8192> buffer_{};
  size_t begin_ = 0;
  size_t end_ = 0;
};

uintptr_t parse_hex(std::string_view text) {
  uintptr_t value = 0;
  for (const char c : text)
    value = value * 16 + static_cast<uintptr_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  return value;
}

/// "7f12a-7f34b r--p 00000000 08:01 1234   /models/a b.safetensors": the path where the range holds
/// `address` and a file lies behind it.
std::string_view path_of_line(std::string_view line, uintptr_t address) {
  const size_t dash = line.find('-');
  const size_t blank = line.find(' ');
  const size_t path = line.find('/');
  if (dash == std::string_view::npos || blank == std::string_view::npos) return {};
  if (address < parse_hex(line.substr(0, dash))) return {};
  if (address >= parse_hex(line.substr(dash + 1, blank - dash - 1))) return {};
  return path == std::string_view::npos ? std::string_view() : line.substr(path);
}

/// One line of a message; what does not fit is left out.
class Line {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (size_ < text_.size()) text_[size_++] = byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
  }
  std::string_view end() {
    size_ = std::min(size_, text_.size() - 1);
    text_[size_++] = '\n';
    return {text_.data(), size_};
  }

 private:
  std::array<char, 4096 + 256> text_{};
  size_t size_ = 0;
};

void on_bus_error(int number, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  MapsReader maps;
  for (std::string_view line = maps.next(); !line.empty(); line = maps.next()) {
    const std::string_view path = path_of_line(line, address);
    if (path.empty()) continue;
    Line message;
    message.add("unmask: error: [file] ");
    message.add(path);
    message.add(
        ": became shorter while it was read, or its disk fails; leave the files of a model alone "
        "while it runs");
    end_at_once(message.end(), kFailed);
  }
  signal(number, SIG_DFL);  // the instruction is repeated and ends the process
}

}  // namespace

void install_lost_file_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace unmask
