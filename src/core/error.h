// Errors of two kinds: what a user, a file or a machine can cause, and broken promises of our own.
#pragma once

#include <fmt/format.h>
#include <stdexcept>
#include <string>
#include <utility>

namespace unmask {

/// Something a user, a file or the machine can cause. The message is one line that says where, what
/// was found, what was expected and, where there is one, the next step.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A broken precondition between layers: always a defect of the program.
class LogicError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Throws Error with a formatted message, e.g. `fail("[config] {}: key '{}' is missing", path,
/// key)`.
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws LogicError naming the place of the failed check.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& what);

/// `text` shortened to `limit` bytes with unprintable bytes escaped, safe inside a one-line message
/// whatever a file contained.
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace unmask

/// Always on. `UNMASK_CHECK(rows > 0, "attention needs at least one row")`.
#define UNMASK_CHECK(condition, what) \
  ((condition) ? void(0) : ::unmask::check_failed(#condition, __FILE__, __LINE__, (what)))
