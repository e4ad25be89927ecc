// Errors of two kinds: what a user, a file or a machine can cause, and broken promises of our own.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <stdexcept>
#include <string>
#include <utility>

namespace unmask {

/// What an error is about, where a front end can say how to change it: the library knows no flag
/// and no field of a request.
enum class ErrorCode : uint8_t {
  other,
  sampler,        // the message names fields of SamplerOptions
  chat_format,    // there is no chat template, or one that cannot be run
  device,         // there is no such device, or it cannot compute this
  device_type,    // the device does not compute with weights of this type
  weight_type,    // the processor does not, or this model cannot be kept so
  quantized,      // the files hold weights of a quantization that cannot be read
  not_finite,     // computing gave no numbers
  mask_id,        // the files do not say which token masks
  eos_id,         // nor which one ends a text
  adapter,        // a folder holds no model but an adapter for one
  algorithm,      // the model's files recommend an unknown one
  canvas_length,  // of a generated task: too short for what it holds
  schema,         // a JSON schema that cannot be promised; the message names the place in it
  memory,         // more than there is
  results_exist   // a folder of results belongs to something else
};

/// Something a user, a file or the machine can cause. The message is one line: where, what was
/// found, what was expected.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorCode code = ErrorCode::other)
      : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
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

/// The same with a code.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...), code);
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
